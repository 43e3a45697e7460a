// The npm package `ws` as a client: streaming, a broken connection, backpressure.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { speech, startServer } from './server.mjs';

let server;
before(async () => {
    server = await startServer();
});
after(async () => {
    assert.equal(await server.stop(), 0);
});

const sound = Buffer.concat([Buffer.alloc(32000), speech(), Buffer.alloc(48000)]);
const block = 640;

function connect(query, subprotocols = []) {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws${query}`, subprotocols);
    const messages = [];
    const waiting = [];
    socket.on('message', (data, isBinary) => {
        assert.equal(isBinary, false);
        const message = JSON.parse(data.toString());
        messages.push(message);
        for (const wait of [...waiting]) wait();
    });
    socket.on('error', () => {});
    const until = (found) =>
        new Promise((resolve) => {
            const look = () => {
                const message = messages.find(found);
                if (!message) return;
                waiting.splice(waiting.indexOf(look), 1);
                resolve(message);
            };
            waiting.push(look);
            look();
        });
    const opened = new Promise((resolve, reject) => {
        socket.once('open', resolve);
        socket.once('error', reject);
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    return { socket, messages, until, opened, closed };
}

function sendFrom(socket, begin, end) {
    for (let at = begin; at < end; at += block) {
        socket.send(sound.subarray(at, Math.min(at + block, end)));
    }
}

const finals = (messages) =>
    messages.filter((m) => m.type === 'final').map(({ utterance, text, start, end }) => ({ utterance, text, start, end }));

let whole;

test('speech becomes text', async () => {
    const { socket, messages, opened, closed } = connect('?rate=16000&words=1');
    await opened;
    sendFrom(socket, 0, sound.length);
    socket.send(JSON.stringify({ type: 'stop' }));
    assert.equal(await closed, 1000);
    assert.equal(messages[0].type, 'ready');
    assert.equal(messages.at(-1).type, 'closed');
    assert.equal(messages.at(-1).reason, 'stopped');
    assert.equal(messages.at(-1).samples, sound.length / 2);
    whole = finals(messages);
    assert.ok(whole.length > 0 && whole[0].text.split(' ').length > 3);
    const seqs = messages.map((m) => m.seq);
    assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b));
});

test('a terminated connection is resumed to the sample', async () => {
    const first = connect('?rate=16000&words=1');
    await first.opened;
    const ready = await first.until((m) => m.type === 'ready');
    sendFrom(first.socket, 0, Math.floor(sound.length / 2 / block) * block);
    await first.until((m) => m.type === 'ack');
    first.socket.terminate();
    await first.closed;
    const second = connect('');
    await second.opened;
    second.socket.send(
        JSON.stringify({
            type: 'resume',
            session: ready.session,
            token: ready.token,
            last_seq: first.messages.at(-1).seq,
        }),
    );
    const again = await second.until((m) => m.type === 'ready');
    assert.equal(again.session, ready.session);
    sendFrom(second.socket, again.next_sample * 2, sound.length);
    second.socket.send(JSON.stringify({ type: 'stop' }));
    assert.equal(await second.closed, 1000);
    assert.deepEqual(finals([...first.messages, ...second.messages]), whole);
});

test('a sender that is too fast is slowed down and loses nothing', async () => {
    const { socket, messages, opened, closed } = connect('?rate=16000&partials=0');
    await opened;
    const times = 20;
    for (let i = 0; i < times; i++) socket.send(sound);
    socket.send(JSON.stringify({ type: 'stop' }));
    assert.equal(await closed, 1000);
    const counters = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(counters, /^kodama_pauses_total [1-9]/m);
    assert.equal(messages.at(-1).samples, (times * sound.length) / 2);
    const texts = finals(messages).map((f) => f.text);
    assert.ok(texts.length >= times);
});

test('a ping is answered, and an unknown message does no harm', async () => {
    const { socket, until, opened, closed } = connect('?rate=16000');
    await opened;
    socket.send('{"type":"nonsense"}');
    assert.equal((await until((m) => m.type === 'error')).code, 'bad_message');
    socket.send('{"type":"ping","t":7}');
    assert.equal((await until((m) => m.type === 'pong')).t, 7);
    const pong = new Promise((resolve) => socket.once('pong', (data) => resolve(data.toString())));
    socket.ping('hello');
    assert.equal(await pong, 'hello');
    socket.close();
    await closed;
});

test('the subprotocol that is spoken is selected, and none else', async () => {
    for (const offered of [['kodama.v1'], ['realtime', 'kodama.v1']]) {
        const { socket, until, opened, closed } = connect('?rate=16000', offered);
        await opened;
        assert.equal(socket.protocol, 'kodama.v1');
        await until((m) => m.type === 'ready');
        socket.close();
        await closed;
    }
    /* It answers without one; that `ws`, as browsers do, then hangs up is its own choice. */
    const { opened } = connect('?rate=16000', ['realtime']);
    await assert.rejects(opened, /Server sent no subprotocol/);
});

test('a foreign page is refused', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, { origin: 'https://evil.example' });
    const error = await new Promise((resolve) => socket.once('error', resolve));
    assert.match(error.message, /403/);
});
