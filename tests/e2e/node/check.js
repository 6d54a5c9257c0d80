'use strict';
/* What the scripts share: comparing, waiting for a condition, and an end that nothing escapes. */
const assert = require('assert');

/* Resolves when condition() gives something true, and to that. */
async function until(condition, what) {
    const deadline = Date.now() + 60000;
    for (;;) {
        const value = await condition();
        if (value) return value;
        if (Date.now() > deadline) throw new Error('waited in vain for ' + what);
        await new Promise((resolve) => setTimeout(resolve, 5)); /* between two looks */
    }
}

/* Run the parts in order; the process ends with 0, or with the first failure shown. */
async function run(parts) {
    try {
        for (const part of parts) {
            await part();
            console.log('done: ' + part.name);
        }
    } catch (error) {
        console.error(error);
        process.exit(1);
    }
    process.exit(0);
}

process.on('unhandledRejection', (error) => {
    console.error(error);
    process.exit(1);
});

module.exports = {equal: assert.deepStrictEqual, ok: assert.ok, port: Number(process.argv[2]), run, until};
