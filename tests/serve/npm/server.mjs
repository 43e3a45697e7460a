// A server for one test file: the command itself on a free port.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export const speechFile = process.env.KODAMA_SPEECH;

export async function startServer(...options) {
    const child = spawn(process.env.KODAMA, ['serve', '--port', '0', ...options], {
        stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout });
    const url = await new Promise((resolve, reject) => {
        lines.once('line', resolve);
        child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    return {
        url,
        port: Number(new URL(url).port),
        async stop() {
            child.kill('SIGTERM');
            return ended;
        },
    };
}

// The samples of the speech file, after its header: 16 kHz, mono, 16 bit.
export function speech() {
    return readFileSync(speechFile).subarray(44);
}
