// The npm package `openai` as a client: transcriptions in every form, a stream, models, errors.
import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import { createReadStream, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { speechFile, startServer } from './server.mjs';

// The package wants it as a global, which it is from Node 20 on; Debian 12 has 18.
globalThis.File ??= File;

let server, client;
before(async () => {
    server = await startServer('--token', 'secret', '--max-upload', '3');
    client = new OpenAI({ apiKey: 'secret', baseURL: `${server.url}/v1`, maxRetries: 0 });
});
after(async () => {
    assert.equal(await server.stop(), 0);
});

const file = () => toFile(readFileSync(speechFile), 'speech.wav', { type: 'audio/wav' });
const create = async (options) =>
    client.audio.transcriptions.create({ file: await file(), model: 'whisper-1', ...options });

let said;

test('json', async () => {
    const answer = await create();
    said = answer.text;
    assert.ok(said.split(' ').length > 3);
    assert.equal(answer.usage.type, 'duration');
});

test('text', async () => {
    assert.equal((await create({ response_format: 'text' })).trim(), said);
});

test('srt', async () => {
    assert.match(await create({ response_format: 'srt' }), /^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n/);
});

test('vtt', async () => {
    assert.match(await create({ response_format: 'vtt' }), /^WEBVTT\n/);
});

test('verbose_json has segments and words', async () => {
    const answer = await create({
        response_format: 'verbose_json',
        timestamp_granularities: ['word', 'segment'],
    });
    assert.equal(answer.text, said);
    assert.ok(answer.duration > 1);
    assert.ok(answer.segments.length > 0 && answer.segments[0].end > answer.segments[0].start);
    assert.equal(answer.words.map((w) => w.word).join(' '), said);
});

test('a file stream, whose length is not known', async (t) => {
    // A small one first: a server that reads none has refused a large one before all of it was sent.
    const small = await fetch(`${server.url}/transcribe`, {
        method: 'POST',
        headers: { 'X-API-Key': 'secret' },
        body: new Blob(['no sound']).stream(),
        duplex: 'half',
    });
    if (small.status === 411) return t.skip('this server reads no chunked bodies');
    const answer = await client.audio.transcriptions.create({
        file: createReadStream(speechFile),
        model: 'whisper-1',
    });
    assert.equal(answer.text, said);
});

test('a stream of text', async () => {
    let deltas = '', done;
    for await (const event of await create({ stream: true })) {
        if (event.type === 'transcript.text.delta') deltas += event.delta;
        if (event.type === 'transcript.text.done') done = event.text;
    }
    assert.equal(done, said);
    assert.equal(deltas.trim(), said);
});

test('models are listed', async () => {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.ok(names.length > 0);
});

test('what is no sound is an error that the client understands', async () => {
    const wrong = await toFile(Buffer.from('this is no sound at all'), 'speech.wav');
    await assert.rejects(create({ file: wrong }), (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError);
        assert.match(error.message, /no sound/);
        return true;
    });
});

test('a wrong key is an error that the client understands', async () => {
    const stranger = new OpenAI({ apiKey: 'guessed', baseURL: `${server.url}/v1`, maxRetries: 0 });
    await assert.rejects(stranger.models.list(), (error) => {
        assert.equal(error.status, 401);
        assert.ok(!error.message.includes('secret'));
        return true;
    });
});

test('an unknown form of answer is refused', async () => {
    await assert.rejects(create({ response_format: 'mp3' }), (error) => error.status === 400);
});
