'use strict';
/* The package redis (node-redis). */
const {createClient, commandOptions} = require('redis');
const {equal, ok, port, run, until} = require('./check');

const client = createClient({socket: {port}, name: 'node-redis'});
client.on('error', (error) => {
    throw error;
});

async function connecting() {
    await client.connect();
    equal(await client.ping(), 'PONG');
    equal(await client.clientGetName(), 'node-redis');
    equal((await client.clientInfo()).name, 'node-redis');
}

async function commands() {
    equal(await client.set('k', 'v', {PX: 100000, NX: true}), 'OK');
    equal(await client.set('k', 'w', {NX: true}), null);
    equal(await client.hSet('h', {a: '1', b: '2'}), 2);
    equal({...(await client.hGetAll('h'))}, {a: '1', b: '2'});
    await client.zAdd('z', [{score: 1.5, value: 'one'}, {score: 2, value: 'two'}]);
    equal(await client.zRangeWithScores('z', 0, -1), [{value: 'one', score: 1.5}, {value: 'two', score: 2}]);
    equal(await client.geoAdd('places', {longitude: 13.4, latitude: 52.5, member: 'berlin'}), 1);
    equal(await client.get(commandOptions({returnBuffers: true}), 'k'), Buffer.from('v'));
    const found = [];
    for await (const key of client.scanIterator()) found.push(key);
    equal(found.sort(), ['h', 'k', 'places', 'z']);
}

async function transactions() {
    equal(await client.multi().incr('n').incr('n').get('n').exec(), [1, 2, '2']);
    await client.executeIsolated(async (isolated) => {
        await isolated.watch('n');
        await client.set('n', '10');
        await isolated.multi().set('n', '11').exec().then(() => ok(false), (error) => equal(error.name, 'Error'));
    });
    equal(await client.get('n'), '10');
}

async function scriptsAndFunctions() {
    equal(await client.eval('return {KEYS[1], ARGV[1], redis.call("GET", KEYS[1])}', {keys: ['k'], arguments: ['x']}), ['k', 'x', 'v']);
    await client.functionLoad('#!lua name=mylib\nredis.register_function("double", function(keys, args) return args[1] * 2 end)');
    equal(await client.fCall('double', {keys: [], arguments: ['21']}), 42);
    equal((await client.functionList()).map((library) => library.libraryName), ['mylib']);
}

async function messages() {
    const listener = client.duplicate(), heard = [];
    listener.on('error', (error) => {
        throw error;
    });
    await listener.connect();
    await listener.subscribe('news', (message, channel) => heard.push([channel, message]));
    await listener.pSubscribe('n*', (message, channel) => heard.push(['n*', channel, message]));
    await listener.sSubscribe('shard', (message, channel) => heard.push(['s', channel, message]));
    equal(await client.publish('news', 'hello'), 2);
    equal(await client.sPublish('shard', 'piece'), 1);
    await until(() => heard.length === 3, 'the messages');
    equal(heard, [['news', 'hello'], ['n*', 'news', 'hello'], ['s', 'shard', 'piece']]);
    await listener.unsubscribe('news');
    await listener.disconnect();
}

async function blockingAndStreams() {
    const waiting = client.blPop(commandOptions({isolated: true}), 'queue', 0);
    await until(async () => (await client.info('clients')).includes('blocked_clients:1'), 'the waiting client');
    await client.rPush('queue', 'job');
    equal({...(await waiting)}, {key: 'queue', element: 'job'});
    const id = await client.xAdd('s', '*', {f: 'v'});
    const read = await client.xRead({key: 's', id: '0'}, {BLOCK: 10});
    equal(read[0].messages[0].id, id);
}

run([connecting, commands, transactions, scriptsAndFunctions, messages, blockingAndStreams]);
