#!/usr/bin/python3
"""Users and their rights: where they come from, what they cannot get around, and where their passwords never stand."""
import os
import re
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import redis
import relevo
import resp
import tap

NOPERM = b"NOPERM"


def as_user(server, name, password="x"):
    """A new connection of this user."""
    connection = server.connect()
    tap.equal(connection.value("AUTH", name, password), b"OK", f"AUTH {name}")
    return connection


def denied(connection, *words):
    reply = connection.value(*words)
    assert isinstance(reply, resp.Error) and reply.startswith(NOPERM), (words, reply)


def allowed(connection, *words):
    reply = connection.value(*words)
    assert not (isinstance(reply, resp.Error) and (reply.startswith(NOPERM) or b"denied" in reply)), (words, reply)
    return reply


def is_closed(connection):
    """Whether the server ends this connection, without a request."""
    try:
        connection.read_raw()
    except (resp.Closed, OSError):
        return True
    return False


def write_file(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def read_file(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def acl_file(text):
    path = os.path.join(relevo.temporary_directory(), "users.acl")
    write_file(path, text)
    return path


# ---- Escapes ----

def test_other_keys_are_out_of_reach():
    """No command reads or writes a key that stands anywhere in it and was not allowed."""
    server = relevo.start()
    server("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~ok*", "%R~read*", "%W~write*", "~LIMIT", "~store", "~0")
    server("MSET", "secret", "1", "ok", "1", "read", "1")
    server("RPUSH", "okl", "1", "2")
    server("ZADD", "okz", "1", "a")
    server("GEOADD", "okg", "1", "1", "p")
    server("XADD", "oks", "1-1", "f", "v")
    before = server.digest()
    u = as_user(server, "u")
    for line in """GET secret|get secret|MGET ok secret|STRLEN secret|EXISTS ok secret|TYPE secret|DUMP secret|TTL secret
            OBJECT ENCODING secret|OBJECT FREQ secret|MEMORY USAGE secret|TOUCH ok secret|LCS ok secret|SUBSTR secret 0 1
            SET secret v|SETEX secret 10 v|MSET ok 1 secret 2|MSETNX ok2 1 secret 2|APPEND secret x|GETDEL secret
            DEL ok secret|UNLINK secret|RENAME ok secret|RENAME secret ok|RENAMENX ok secret|MOVE secret 1|EXPIRE secret 1
            COPY secret ok2|COPY ok secret REPLACE|RESTORE secret 0 x|PERSIST secret
            SET read v|GETSET read v|INCR read|APPEND read x|GET write|COPY ok read|SORT okl STORE read|SET write v GET
            SORT okl STORE secret|SORT okl STORE secret BY store LIMIT 0 1|SORT okl STORE store STORE secret
            SORT okl LIMIT 0 1 STORE secret|sort okl sTore secret|SORT okl STORE STORE STORE secret
            GEORADIUS okg 1 1 1 km STORE secret|GEORADIUS okg 1 1 1 km STORE ok1 STORE secret
            GEORADIUS okg 1 1 1 km STOREDIST secret|GEORADIUS okg 1 1 1 km STORE ok1 STOREDIST secret
            GEORADIUSBYMEMBER okg p 1 km STORE secret|GEOSEARCHSTORE secret okg FROMMEMBER p BYRADIUS 1 km
            GEOSEARCHSTORE ok1 secret FROMMEMBER p BYRADIUS 1 km|BITOP OR ok1 ok secret|BITOP NOT secret ok|PFMERGE ok1 secret
            PFCOUNT ok secret|ZUNIONSTORE ok1 2 okz secret|ZUNIONSTORE secret 1 okz|ZUNION 2 okz secret|ZDIFF 1 secret
            ZRANGESTORE secret okz 0 -1|ZRANGESTORE ok1 secret 0 -1|ZMPOP 2 okz secret MIN|LMPOP 2 okl secret LEFT
            SINTERCARD 2 ok1 secret|SDIFFSTORE secret ok1|SMOVE ok1 secret m|LMOVE okl secret LEFT LEFT|RPOPLPUSH okl secret
            XREAD STREAMS oks secret 0 0|XREAD COUNT 1 STREAMS secret 0|XREADGROUP GROUP STREAMS c STREAMS secret >
            XREADGROUP GROUP g c COUNT 1 NOACK STREAMS oks secret > >|XGROUP CREATE secret g $ MKSTREAM|XINFO STREAM secret
            XADD secret * f v|HSET secret f v|PFADD secret a|SETBIT secret 1 1|BITFIELD secret GET u8 0|WATCH ok secret
            CACHE.GET secret LEASE 100|HEXPIRE secret 10 FIELDS 1 f|SDIFF ok1 secret|ZINTERCARD 2 okz secret""".replace(
                "\n", "|").split("|"):
        denied(u, *line.split())
    for line in """GET ok|SORT okl|SORT okl BY nosort|COPY read ok7|SORT okl STORE ok8|XREAD STREAMS oks 0
            GEORADIUS okg 1 1 1 km STORE ok9|SET write v""".replace("\n", "|").split("|"):
        allowed(u, *line.split())
    server("DEL", "ok7", "ok8", "ok9", "write")
    tap.equal(server.digest(), before, "the data")


def test_patterns_of_sort_need_all_keys():
    """SORT's BY and GET name keys by pattern: only who may read all keys may use them."""
    server = relevo.start()
    server("RPUSH", "l", "1")
    server("SET", "w1", "secret")
    server("ACL", "SETUSER", "u", "on", "nopass", "+sort", "+sort_ro", "+multi", "+exec", "~l")
    u = as_user(server, "u")
    for words in (["GET", "w*"], ["BY", "w*"], ["GET", "#"], ["BY", "nosort", "GET", "w*"], ["get", "w*->f"]):
        for name in ("SORT", "sort_ro"):
            reply = u.value(name, "l", *words)
            assert b"option of SORT denied due to insufficient ACL permissions" in reply, (words, reply)
    u("MULTI")
    u("SORT", "l", "GET", "w*")
    assert b"denied" in u("EXEC")[0]
    server("ACL", "SETUSER", "u", "%R~*")
    tap.equal(u("SORT", "l", "GET", "w*"), [b"secret"])


def test_commands_are_what_they_are_called():
    """Subcommands, upper case, first arguments, and names that look alike give nobody more than was said."""
    server = relevo.start()
    server("ACL", "SETUSER", "u", "on", "nopass", "~*", "+config|get", "+select|0", "-@all", "+config|get", "+select|0",
           "+object|encoding")
    u = as_user(server, "u")
    allowed(u, "CONFIG", "GET", "port")
    allowed(u, "cOnFiG", "gEt", "port")
    allowed(u, "SELECT", "0")
    for words in (["CONFIG", "SET", "maxmemory", "0"], ["config", "sEt", "maxmemory", "0"], ["CONFIG", "RESETSTAT"],
                  ["SELECT", "1"], ["SELECT", "00"], ["OBJECT", "FREQ", "k"], ["GET", "k"], ["ACL", "WHOAMI"],
                  ["ACL", "SETUSER", "u", "+@all"], ["COMMAND", "GETKEYS", "GET", "k"], ["DEBUG", "OBJECT", "k"],
                  ["MULTI"], ["SHUTDOWN", "NOSAVE"], ["FLUSHALL"], ["PING"], ["REPLICAOF", "NO", "ONE"]):
        denied(u, *words)
    for words in (["CONFIG"], ["CONFIG", "NOSUCH"], ["CONFIG|GET", "port"], ["config|set", "maxmemory", "0"], [b"GET\0", "k"]):
        reply = u.value(*words)
        assert isinstance(reply, resp.Error) and reply.startswith(b"ERR"), (words, reply)
    for words in (["AUTH", "u", "x"], ["HELLO", "2"]):
        allowed(u, *words)


def test_patterns_match_bytes():
    """Key patterns see every byte, and what looks like a pattern in a key is only a key."""
    server = relevo.start()
    server("ACL", "SETUSER", "u", "on", "nopass", "+get", "~a?c", "~x[1-3]", "~lit\\*", b"~\xff*", "~tail:*")
    u = as_user(server, "u")
    for key in (b"abc", b"a\0c", b"a\nc", b"x2", b"lit*", b"\xff\0\xfe", b"tail:", b"tail:\0"):
        allowed(u, "GET", key)
    for key in (b"ac", b"abbc", b"x4", b"lits", b"lit", b"\xfe", b"", b"*", b"~a?c", b"tail", b"\0tail:", b"a?c\0", b"ABC"):
        denied(u, "GET", key)


def test_selectors_do_not_add_up():
    """What one selector allows of a command and another of a key is no right."""
    server = relevo.start()
    server("ACL", "SETUSER", "u", "on", "nopass", "+get", "~a*", "(+set ~b*)", "(+@all %R~r*)", "(+copy %W~c*)")
    u = as_user(server, "u")
    for words in (["GET", "a"], ["SET", "b", "1"], ["GET", "r"], ["MGET", "r1", "r2"]):
        allowed(u, *words)
    for words in (["SET", "a", "1"], ["GET", "b"], ["SET", "r", "1"], ["COPY", "r", "c"], ["MGET", "r", "a"], ["DEL", "b"]):
        denied(u, *words)


def test_a_transaction_gives_no_rights():
    """What is forbidden is not queued, and what was forbidden after it was queued is not executed."""
    server = relevo.start()
    server("ACL", "SETUSER", "u", "on", "nopass", "~*", "+@all")
    u = as_user(server, "u")
    for words in (["MULTI"], ["SET", "k", "1"], ["SET", "l", "2"]):
        u(*words)
    server("ACL", "SETUSER", "u", "resetkeys", "~l")
    replies = u("EXEC")
    assert replies[0].startswith(b"NOPERM ACLs rules changed between"), replies
    tap.equal(replies[1], b"OK")
    tap.equal(server("MGET", "k", "l"), [None, b"2"])
    u("MULTI")
    denied(u, "GET", "k")
    assert u.value("EXEC").startswith(b"EXECABORT")


def test_scripts_have_the_rights_of_their_user():
    """What redis.call() does in a script is checked as if the user had sent it, and redis.acl_check_cmd() tells."""
    server = relevo.start()
    server("ACL", "SETUSER", "u", "on", "nopass", "+@scripting", "+get", "+publish", "~ok*", "&ch*")
    server("SET", "secret", "1")
    u = as_user(server, "u")
    denied(u, "EVAL", "return 1", "1", "secret")
    for body, word in (("redis.call('get','secret')", b"can't access at least one of the keys"),
                       ("redis.pcall('get','secret')", b"can't access at least one of the keys"),
                       ("redis.call('SET','ok','1')", b"can't run this command"),
                       ("redis.call('config','get','port')", b"ERR"),
                       ("redis.call('publish','other','m')", b"can't publish to the channel")):
        reply = u.value("EVAL", "return " + body, "0")
        assert isinstance(reply, resp.Error) and word in reply, (body, reply)
    tap.equal(u("EVAL", "return redis.call('get', KEYS[1])", "1", "ok"), None)
    tap.equal(u("EVAL", "return redis.call('publish', 'ch1', 'm')", "0"), 0)
    tap.equal([u("EVAL", f"return redis.acl_check_cmd({words})", "0") for words in (
        "'get','ok'", "'get','secret'", "'set','ok','v'")], [1, None, None])
    tap.equal({bytes(dict(zip(e[::2], e[1::2]))[b"context"]) for e in server("ACL", "LOG")}, {b"toplevel", b"lua"})


def test_channels():
    """Channels are subscribed to and published to as allowed; who loses one that it listens to is closed."""
    server = relevo.start()
    server("ACL", "SETUSER", "u", "on", "nopass", "+@pubsub", "+ping", "&news:*", "&x")
    u = as_user(server, "u")
    for words in (["SUBSCRIBE", "news:1", "y"], ["PSUBSCRIBE", "news:1*"], ["PSUBSCRIBE", "*"], ["SSUBSCRIBE", "y"],
                  ["PUBLISH", "y", "m"], ["SPUBLISH", "y", "m"], ["SUBSCRIBE", "news"]):
        denied(u, *words)
    for words in (["PUBLISH", "news:1", "m"], ["SPUBLISH", "x", "m"], ["SUBSCRIBE", "news:1"], ["PSUBSCRIBE", "news:*"]):
        allowed(u, *words)
    tap.equal(server("PUBLISH", "news:1", "m"), 2)
    tap.equal([u.read()[0], u.read()[0]], [b"message", b"pmessage"])
    others = {rules: as_user(server, "u") for rules in ("SUBSCRIBE news:2", "PSUBSCRIBE x", "SSUBSCRIBE x", "PING")}
    for words, other in others.items():
        other(*words.split())
    server("ACL", "SETUSER", "u", "&more")
    server("ACL", "SETUSER", "u", "resetchannels", "&news:2", "(&x)")
    assert is_closed(u), "it listened to a pattern that it may not hear any more"
    for words, other in others.items():
        tap.equal(bytes(server("CLIENT", "LIST")).count(b"user=u"), 4, words)
        other.send("PING")
        assert other.read_raw()
    tap.equal(server("PUBLISH", "news:2", "m"), 1)
    server("ACL", "SETUSER", "u", "resetchannels", "clearselectors")
    tap.equal(bytes(server("CLIENT", "LIST")).count(b"user=u"), 1, "only who listens to nothing stays")


# ---- Who ----

def test_deleted_users_are_gone_at_once():
    """DELUSER closes the user's connections; who deletes itself still gets its answer, and nothing after it."""
    server = relevo.start()
    server("ACL", "SETUSER", "u", "on", "nopass", "~*", "+@all")
    first, second = as_user(server, "u"), as_user(server, "u")
    second.send_raw(b"".join(resp.encode(w) for w in (["MULTI"], ["ACL", "DELUSER", "u"], ["SET", "k", "1"], ["EXEC"],
                                                      ["SET", "k", "2"])))
    tap.equal([second.read() for _ in range(3)], [b"OK", b"QUEUED", b"QUEUED"])
    replies = second.read()
    tap.equal(replies[0], 1)
    assert replies[1].startswith(NOPERM), replies
    assert is_closed(second) and is_closed(first)
    tap.equal(server("EXISTS", "k"), 0)
    tap.equal(server("ACL", "USERS"), [b"default"])


def test_users_are_seen_and_closed_by_name():
    """CLIENT LIST shows users, CLIENT KILL USER closes theirs, and a user that is off stays where it is but cannot come back."""
    server = relevo.start()
    server("ACL", "SETUSER", "u", "on", ">p", "+client", "+acl|whoami")
    u = as_user(server, "u", "p")
    assert b"user=u" in server("CLIENT", "LIST") and b"user=u" in u("CLIENT", "INFO")
    tap.equal(u("ACL", "WHOAMI"), b"u")
    server("ACL", "SETUSER", "u", "off")
    tap.equal(u("ACL", "WHOAMI"), b"u")
    assert server.connect().value("AUTH", "u", "p").startswith(b"WRONGPASS")
    tap.equal(server("CLIENT", "KILL", "USER", "u"), 1)
    assert is_closed(u)


def test_reset_makes_the_default_user():
    """RESET and HELLO AUTH change who a connection is."""
    server = relevo.start()
    server("ACL", "SETUSER", "u", "on", ">p", "+acl|whoami")
    c = server.connect()
    c("HELLO", "3", "AUTH", "u", "p")
    tap.equal(c("ACL", "WHOAMI"), b"u")
    c("RESET")
    tap.equal(c("ACL", "WHOAMI"), b"default")
    server("ACL", "SETUSER", "default", ">d")
    c("RESET")
    assert c.value("ACL", "WHOAMI").startswith(b"NOAUTH")
    assert server.value("PING") == b"PONG", "who was known stays known"
    server("ACL", "SETUSER", "default", "nopass")
    tap.equal(c("ACL", "WHOAMI"), b"default")


def test_before_authentication_little_is_taken():
    """With a default user that is off, only short requests are read, and only AUTH and its kin are answered."""
    conf = os.path.join(relevo.temporary_directory(), "relevo.conf")
    write_file(conf, "user default off\nuser u on >p +ping\n")
    server = relevo.prepare(file=conf).spawn()
    relevo.wait(server.is_listening, "the port")
    c = server.connect()
    assert c.value("PING").startswith(b"NOAUTH")
    c.send_raw(b"*11\r\n")
    assert c.read_raw().startswith(b"-ERR Protocol error: unauthenticated multibulk length")
    c = server.connect()
    c.send_raw(b"*2\r\n$4\r\nAUTH\r\n$16385\r\n")
    assert c.read_raw().startswith(b"-ERR Protocol error: unauthenticated bulk length")


def test_python_client():
    """python3-redis signs in with a name, and knows what it is not allowed to do."""
    server = relevo.start()
    server("ACL", "SETUSER", "app", "on", ">word", "~app:*", "+@all", "-@dangerous")
    client = redis.Redis(port=server.port, username="app", password="word")
    tap.closing(lambda failed: client.close())
    tap.equal(client.set("app:k", "v"), True)
    for call in (lambda: client.get("other"), lambda: client.flushall()):
        try:
            call()
        except redis.exceptions.NoPermissionError:
            continue
        raise AssertionError("allowed")
    tap.equal(client.acl_whoami(), "app")
    described = redis.Redis(port=server.port).acl_getuser("app")
    tap.equal(described["categories"], ["+@all", "-@dangerous"])
    assert redis.Redis(port=server.port).acl_log()[0]["reason"] == "command"


# ---- Files ----

def test_acl_file():
    """Users come from the ACL file; ACL SAVE writes them, readable for the owner only, and Redis reads what it wrote."""
    path = os.path.join(relevo.temporary_directory(), "users.acl")
    write_file(path, "user default on nopass ~* &* +@all\n\nuser a on >secret ~a* +@read -get (%W~b +set)\n")
    os.chmod(path, 0o600)
    server = relevo.start(aclfile=path)
    as_user(server, "a", "secret")
    lines = server("ACL", "LIST")
    server("ACL", "SETUSER", "b", "on", "nopass", "+select|0", "&ch*")
    tap.equal(server("ACL", "SAVE"), b"OK")
    text = read_file(path)
    assert "secret" not in text and "user b on nopass" in text, text
    tap.equal(stat.S_IMODE(os.stat(path).st_mode), 0o600)
    tap.equal(os.listdir(os.path.dirname(path)), ["users.acl"])
    lines = server("ACL", "LIST")
    server.restart()
    tap.equal(server("ACL", "LIST"), lines)
    server.stop()
    theirs = relevo.start(relevo.REDIS, aclfile=path)
    tap.equal(sorted(theirs("ACL", "USERS")), [b"a", b"b", b"default"])
    as_user(theirs, "a", "secret")


def test_acl_load():
    """ACL LOAD takes all of a file or nothing, names every mistake, and closes only whose rights are others now."""
    path = acl_file("user same on nopass +ping\nuser other on nopass +ping\nuser gone on nopass +ping\n")
    server = relevo.start(aclfile=path)
    same, other, gone = (as_user(server, name) for name in ("same", "other", "gone"))
    write_file(path, "user same on nopass +ping\nuser x +nosuch\nbla\nuser x2 (~a\n")
    reply = server.value("ACL", "LOAD")
    for word in (b"users.acl:2:", b"users.acl:3:", b"users.acl:4:", b"+nosuch", b"no change"):
        assert word in reply, reply
    tap.equal(server("ACL", "USERS"), [b"default", b"gone", b"other", b"same"])
    tap.equal(gone("PING"), b"PONG")
    write_file(path, "user other on nopass +echo\nuser same on nopass +ping\n")
    tap.equal(server("ACL", "LOAD"), b"OK")
    tap.equal(same("PING"), b"PONG")
    assert is_closed(other) and is_closed(gone)
    os.remove(path)
    assert b"opening file" in server.value("ACL", "LOAD")
    tap.equal(server("ACL", "USERS"), [b"default", b"other", b"same"])
    tap.equal(server("ACL", "SAVE"), b"OK")
    assert "user same on nopass" in read_file(path)


def test_a_loaded_file_without_a_default_user_keeps_the_password():
    """requirepass stays the default user's password, whatever the ACL file leaves out."""
    path = acl_file("user a on nopass +ping\n")
    server = relevo.prepare(aclfile=path, requirepass="word").spawn()
    relevo.wait(server.is_listening, "the port")
    c = server.connect()
    relevo.wait(lambda: c.value("AUTH", "word") == b"OK", "the server to be ready")
    c("ACL", "LOAD")
    assert server.connect().value("PING").startswith(b"NOAUTH")


def test_bad_users_end_the_start():
    """A start with users that cannot be is one line that names file, line and rule, and no password."""
    directory = relevo.temporary_directory()
    path = acl_file("user a on >hidden\nuser b +nosuch\n")
    relevo.refused(directory, "users.acl:2:", r"\+nosuch", aclfile=path)
    relevo.refused(directory, "no-such-file", aclfile="no-such-file.acl")
    conf = os.path.join(relevo.temporary_directory(), "relevo.conf")
    write_file(conf, "user a on\n")
    relevo.refused(directory, "not both", aclfile=path, file=conf)
    write_file(conf, "# users\nuser a on >hidden\n\nuser b on ~* ~x\n")
    server = relevo.prepare(file=conf).spawn()
    server.await_exit(1)
    assert "relevo.conf:4:" in server.log() and "hidden" not in server.log(), server.log()


def test_users_in_the_configuration():
    """`user` lines make users; CONFIG REWRITE writes them where they stood, and what it writes is read again."""
    conf = os.path.join(relevo.temporary_directory(), "relevo.conf")
    write_file(conf, "# before\nuser a on \">my word\" ~a* +@read\n# between\nuser b off\n# behind\n")
    server = relevo.start(file=conf)
    as_user(server, "a", "my word")
    server("ACL", "SETUSER", "c", "on", "nopass", '~"q', "~\\x", "~#h", "+get|first")
    server("ACL", "DELUSER", "b")
    tap.equal(server("CONFIG", "REWRITE"), b"OK")
    text = read_file(conf)
    assert "my word" not in text and "user b" not in text, text
    assert re.search(r"# before\nuser a on .*\n(user .*\n)*# between\n# behind\n", text), text
    lines = server("ACL", "LIST")
    server.restart()
    tap.equal(server("ACL", "LIST"), lines)
    as_user(server, "a", "my word")
    server("CONFIG", "REWRITE")
    tap.equal(read_file(conf), text)


def test_no_user_line_without_need():
    """CONFIG REWRITE writes no users where only settings say who may come in."""
    conf = os.path.join(relevo.temporary_directory(), "relevo.conf")
    write_file(conf, "maxmemory 0\n")
    server = relevo.start(file=conf)
    server("CONFIG", "SET", "requirepass", "word")
    server("CONFIG", "REWRITE")
    assert "user" not in read_file(conf), read_file(conf)


def test_renamed_commands():
    """rename-command: only the new name is known, rules keep the old one, and the lines stay in the file."""
    conf = os.path.join(relevo.temporary_directory(), "relevo.conf")
    write_file(conf, "rename-command KEYS \"\"\nrename-command CONFIG Settings\nrename-command SET \"\"\n")
    server = relevo.start(file=conf)
    assert server.value("KEYS", "*").startswith(b"ERR unknown command 'KEYS'")
    assert server.value("CONFIG", "GET", "port").startswith(b"ERR unknown command 'CONFIG'")
    tap.equal(server("SETTINGS", "GET", "port")[0], b"port")
    names = server("COMMAND", "LIST")
    assert b"config" in names and b"keys" not in names
    tap.equal([server("COMMAND", "COUNT"), len(server("COMMAND")), len(server("COMMAND", "DOCS")) // 2], [len(names)] * 3)
    server("ACL", "SETUSER", "u", "on", "nopass", "+config|get", "+keys")
    assert server.value("ACL", "SETUSER", "u", "+settings").startswith(b"ERR Error in ACL SETUSER")
    u = as_user(server, "u")
    tap.equal(u("settings", "get", "port")[0], b"port")
    denied(u, "SETTINGS", "SET", "maxmemory", "0")
    server("SETTINGS", "REWRITE")
    assert "rename-command CONFIG Settings\n" in read_file(conf)
    server("GETSET", "k", "v")  # is logged as SET, and replayed
    server.restart()
    tap.equal(server("GET", "k"), b"v")
    for line, word in (("nosuch x", "No such command"), ("GET set", "already exists")):
        write_file(conf, f"rename-command {line}\n")
        relevo.refused(relevo.temporary_directory(), word, file=conf)


# ---- Secrets and records ----

SECRETS = [f"hunter-{i}-{'z' * 20}" for i in range(8)]


def use_secrets(server):
    """Passwords in every place where one may be typed, right and wrong."""
    c = server.connect()
    c("ACL", "SETUSER", "u", "on", ">" + SECRETS[0], "~*", "+@all")
    c("AUTH", "u", SECRETS[0])
    c.value("AUTH", "u", SECRETS[1])
    c.value("AUTH", SECRETS[2])
    c.value("HELLO", "3", "AUTH", "u", SECRETS[3])
    c.value("ACL", "SETUSER", "u", "<" + SECRETS[4])
    c.value("ACL", "SETUSER", "v", "(+get", ">" + SECRETS[5])
    c("MULTI")
    c("AUTH", "u", SECRETS[0])
    c.value("ACL", "SETUSER", "u", ">" + SECRETS[6], "nosuch")
    c("EXEC")
    c("CONFIG", "SET", "requirepass", SECRETS[7])
    c("CONFIG", "SET", "requirepass", "")


def test_passwords_are_nowhere():
    """No password stands in log lines, ACL LOG, ACL LIST, SLOWLOG, MONITOR, CLIENT LIST or INFO."""
    server = relevo.start(loglevel="debug", slowlog_log_slower_than="0")
    monitor = server.connect()
    monitor("MONITOR")
    use_secrets(server)
    server("ECHO", "the end")
    seen = b""
    while b"the end" not in seen:
        seen += monitor.read_raw()
    seen += b"".join(repr(server(*words)).encode() for words in (
        ["ACL", "LOG", "100"], ["ACL", "LIST"], ["SLOWLOG", "GET", "100"], ["CLIENT", "LIST"], ["INFO", "all"]))
    seen += server.log().encode()
    for secret in SECRETS:
        assert secret.encode() not in seen, secret
    tap.equal(len(server("ACL", "LOG", "100")), 2)


def memory_of(server):
    """All that a process has in its memory, in pieces; what cannot be read is left out, and the stack: the dynamic linker leaves
    there what vector registers happened to hold when a function was called for the first time."""
    with open(f"/proc/{server.process.pid}/maps", encoding="utf-8") as maps, \
            open(f"/proc/{server.process.pid}/mem", "rb", 0) as memory:
        for line in maps:
            begin, end = (int(x, 16) for x in line.split()[0].split("-"))
            if "r" not in line.split()[1] or end - begin > 1 << 30 or "[stack]" in line:
                continue
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except (OSError, ValueError, OverflowError):
                continue


def test_passwords_do_not_stay_in_memory():
    """Once a request is answered its password is nowhere in the process, were it right, wrong, queued or refused."""
    server = relevo.start()
    server("SET", "k", "is-in-the-memory")
    use_secrets(server)
    c = server.connect()
    c.send_raw(f"AUTH u {SECRETS[0]}\r\n".encode())
    c.read_raw()
    for words in (["MULTI"], ["AUTH", "u", SECRETS[1]], ["ACL", "SETUSER", "w", ">" + SECRETS[2]], ["DISCARD"]):
        c(*words)
    pieces = list(memory_of(server))
    assert any(b"is-in-the-memory" in piece for piece in pieces)
    for secret in SECRETS:
        assert not any(secret.encode() in piece for piece in pieces), secret


def test_denials_are_recorded():
    """ACL LOG and INFO tell who was denied what; equal denials are counted in one entry; the length is bounded."""
    server = relevo.start()
    server("ACL", "SETUSER", "u", "on", ">p", "~a", "+get", "+multi", "+discard")
    u = as_user(server, "u", "p")
    for _ in range(3):
        denied(u, "GET", "b")
    denied(u, "SET", "a", "1")
    u("MULTI")
    denied(u, "GET", "c")
    u("DISCARD")
    u.value("AUTH", "u", "wrong")
    entries = [dict(zip(e[::2], e[1::2])) for e in server("ACL", "LOG")]
    tap.equal([(e[b"reason"], e[b"context"], e[b"object"], e[b"username"], e[b"count"]) for e in entries],
              [(b"auth", b"toplevel", b"AUTH", b"u", 1), (b"key", b"multi", b"c", b"u", 1),
               (b"command", b"toplevel", b"set", b"u", 1), (b"key", b"toplevel", b"b", b"u", 3)])
    assert all(b"user=u" in e[b"client-info"] for e in entries)
    info = server.info("stats")
    tap.equal([info["acl_access_denied_" + k] for k in ("auth", "cmd", "key", "channel")], ["1", "1", "4", "0"])
    server("CONFIG", "SET", "acllog-max-len", "1")
    tap.equal(len(server("ACL", "LOG")), 1)
    server("ACL", "LOG", "RESET")
    server("CONFIG", "RESETSTAT")
    tap.equal(server("ACL", "LOG"), [])
    tap.equal(server.info("stats")["acl_access_denied_key"], "0")


tap.main()
