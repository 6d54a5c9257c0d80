'use strict';
/* The package ioredis. */
const Redis = require('ioredis');
const {equal, ok, port, run, until} = require('./check');

const redis = new Redis(port);

async function commands() {
    equal(await redis.set('k', 'v', 'EX', 100), 'OK');
    equal(await redis.get('k'), 'v');
    equal(await redis.hset('h', {a: '1', b: '2'}), 2);
    equal(await redis.hgetall('h'), {a: '1', b: '2'});
    equal(await redis.zadd('z', 1, 'one', 2, 'two'), 2);
    equal(await redis.zrange('z', 0, -1, 'WITHSCORES'), ['one', '1', 'two', '2']);
    equal(await redis.mget('k', 'none'), ['v', null]);
    await redis.set('bytes', Buffer.from([0, 255, 13, 10]));
    equal(await redis.getBuffer('bytes'), Buffer.from([0, 255, 13, 10]));
    await redis.incr('h').then(() => ok(false), (error) => ok(/^WRONGTYPE/.test(error.message)));
    const found = [];
    for await (const keys of redis.scanStream({match: '*', count: 2})) found.push(...keys);
    equal([...new Set(found)].sort(), ['bytes', 'h', 'k', 'z']);
}

async function pipelinesAndTransactions() {
    const pipeline = redis.pipeline();
    for (let i = 0; i < 1000; i++) pipeline.incr('n');
    const results = await pipeline.exec();
    equal(results[999], [null, 1000]);
    equal(await redis.multi().set('a', '1').incr('a').get('a').exec(), [[null, 'OK'], [null, 2], [null, '2']]);
    const other = redis.duplicate();
    await redis.watch('a');
    await other.set('a', 'changed');
    equal(await redis.multi().set('a', 'mine').exec(), null);
    await other.quit();
}

async function scripts() {
    redis.defineCommand('addAll', {
        numberOfKeys: 1,
        lua: 'local sum = 0; for _, v in ipairs(ARGV) do sum = sum + redis.call("INCRBY", KEYS[1], v) end; return {sum, KEYS[1]}',
    });
    equal(await redis.addAll('counter', 1, 2, 3), [10, 'counter']);
    await redis.script('FLUSH');
    equal(await redis.addAll('counter', 1), [7, 'counter']); /* NOSCRIPT is answered by sending it again */
}

async function messages() {
    const listener = redis.duplicate(), heard = [];
    listener.on('message', (channel, message) => heard.push([channel, message]));
    listener.on('pmessage', (pattern, channel, message) => heard.push([pattern, channel, message]));
    equal(await listener.subscribe('news', 'sport'), 2);
    equal(await listener.psubscribe('n*'), 3);
    equal(await redis.publish('news', 'hello'), 2);
    await until(() => heard.length === 2, 'the message');
    equal(heard, [['news', 'hello'], ['n*', 'news', 'hello']]);
    await redis.config('SET', 'notify-keyspace-events', 'KEA');
    await listener.subscribe('__keyevent@0__:set');
    await redis.set('told', 'v');
    await until(() => heard.length === 3, 'the event');
    equal(heard[2], ['__keyevent@0__:set', 'told']);
    listener.disconnect();
}

async function blocking() {
    const waiter = redis.duplicate();
    const waiting = waiter.blpop('queue', 0);
    await until(async () => (await redis.info('clients')).includes('blocked_clients:1'), 'the waiting client');
    await redis.rpush('queue', 'job');
    equal(await waiting, ['queue', 'job']);
    equal(await waiter.brpoplpush('empty', 'other', 0.01), null);
    await redis.xgroup('CREATE', 's', 'g', '$', 'MKSTREAM');
    const reading = waiter.xreadgroup('GROUP', 'g', 'c', 'BLOCK', 0, 'STREAMS', 's', '>');
    await until(async () => (await redis.info('clients')).includes('blocked_clients:1'), 'the waiting reader');
    const id = await redis.xadd('s', '*', 'f', 'v');
    equal(await reading, [['s', [[id, ['f', 'v']]]]]);
    equal(await redis.xack('s', 'g', id), 1);
    waiter.disconnect();
}

run([commands, pipelinesAndTransactions, scripts, messages, blocking]);
