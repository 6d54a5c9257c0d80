'use strict';
/* The job queue bullmq: its scripts, streams and blocking reads, with many jobs. */
const {Queue, Worker, QueueEvents, FlowProducer} = require('bullmq');
const {equal, ok, port, run, until} = require('./check');

const JOBS = Number(process.argv[3] || 10000);
const connection = {host: '127.0.0.1', port, maxRetriesPerRequest: null};

async function manyJobs() {
    const queue = new Queue('many', {connection}), done = new Map(), failures = [];
    const worker = new Worker('many', async (job) => {
        done.set(job.data.n, (done.get(job.data.n) || 0) + 1);
        return job.data.n * 2;
    }, {connection, concurrency: 50});
    worker.on('error', (error) => failures.push(error));
    for (let n = 0; n < JOBS; n += 500)
        await queue.addBulk(Array.from({length: 500}, (_, i) => ({name: 'job', data: {n: n + i}, opts: {removeOnComplete: false}})));
    await until(async () => (await queue.getJobCounts('completed')).completed === JOBS, 'all jobs');
    equal(done.size, JOBS);
    ok([...done.values()].every((times) => times === 1), 'a job was done twice');
    equal(failures, []);
    const last = await queue.getJobs(['completed'], 0, 0);
    equal(last[0].returnvalue, last[0].data.n * 2);
    await worker.close();
    await queue.obliterate();
    await queue.close();
}

async function retriesAndDelays() {
    const queue = new Queue('hard', {connection}), tries = {}, order = [];
    const events = new QueueEvents('hard', {connection}), told = [];
    events.on('completed', ({jobId}) => told.push(jobId));
    await events.waitUntilReady();
    const worker = new Worker('hard', async (job) => {
        tries[job.name] = (tries[job.name] || 0) + 1;
        order.push(job.name);
        if (job.name === 'stubborn' && tries.stubborn < 3) throw new Error('not yet');
        if (job.name === 'hopeless') throw new Error('never');
        if (job.name === 'late') ok(Date.now() >= job.timestamp + 200, 'too early');
        return job.name;
    }, {connection});
    worker.on('error', (error) => {
        throw error;
    });
    await queue.add('stubborn', {}, {attempts: 5, backoff: {type: 'fixed', delay: 10}});
    await queue.add('hopeless', {}, {attempts: 2});
    await queue.add('late', {}, {delay: 200});
    const awaited = await queue.add('awaited', {});
    equal(await awaited.waitUntilFinished(events), 'awaited');
    await until(async () => {
        const counts = await queue.getJobCounts('completed', 'failed');
        return counts.completed === 3 && counts.failed === 1;
    }, 'the retries');
    equal([tries.stubborn, tries.hopeless, tries.late], [3, 2, 1]);
    await until(() => told.length === 3, 'the events');
    const failed = (await queue.getFailed())[0];
    equal(failed.failedReason, 'never');
    await worker.close();
    await events.close();
    await queue.close();
}

async function prioritiesAndFlows() {
    const queue = new Queue('ordered', {connection}), order = [];
    for (const [name, priority] of [['c', 3], ['a', 1], ['b', 2]]) await queue.add(name, {}, {priority});
    const worker = new Worker('ordered', async (job) => {
        order.push(job.name);
        return job.name === 'parent' ? Object.values(await job.getChildrenValues()).sort() : job.name;
    }, {connection, concurrency: 1});
    await until(() => order.length === 3, 'the jobs in order');
    equal(order, ['a', 'b', 'c']);
    const flow = new FlowProducer({connection});
    const tree = await flow.add({name: 'parent', queueName: 'ordered', children: [
        {name: 'x', queueName: 'ordered'}, {name: 'y', queueName: 'ordered'}]});
    await until(async () => (await tree.job.getState()) === 'completed', 'the parent');
    const parent = await queue.getJob(tree.job.id);
    equal(parent.returnvalue, ['x', 'y']);
    await worker.close();
    await flow.close();
    await queue.close();
}

run([manyJobs, retriesAndDelays, prioritiesAndFlows]);
