// A client of tus as it comes from npm uploads a Binary, is stopped in the middle, and goes on: node upload.mjs BASE TOKEN CHART
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Upload } from 'tus-js-client';

const [base, token, chart] = process.argv.slice(2);
const bytes = randomBytes(5_000_000);
const headers = { Authorization: `Bearer ${token}`, 'X-Security-Context': `Patient/${chart}` };

// upload sends until enough bytes are acknowledged, or all: then it tells the last answer.
const upload = (more, enough = Infinity) => new Promise((done, failed) => {
  const u = new Upload(bytes, {
    endpoint: `${base}/$upload`, headers, metadata: { filename: 'ct.dcm', filetype: 'application/dicom' }, chunkSize: 1_000_000, retryDelays: null, ...more,
    onError: failed,
    onSuccess: ({ lastResponse }) => done({ url: u.url, last: lastResponse }),
    onChunkComplete: (_, acknowledged) => { if (acknowledged >= enough) u.abort().then(() => done({ url: u.url }), failed); },
  });
  u.start();
});

const begun = await upload({}, 2_000_000);
const { url, last } = await upload({ uploadUrl: begun.url });
assert.equal(url, begun.url);
const answer = await fetch(last.getHeader('Content-Location'), { headers: { Authorization: `Bearer ${token}`, Range: 'bytes=999999-3000000' } });
assert.equal(answer.status, 206);
assert.equal(answer.headers.get('content-type'), 'application/dicom');
assert.deepEqual(Buffer.from(await answer.arrayBuffer()), bytes.subarray(999_999, 3_000_001));

const ended = await upload({ uploadDataDuringCreation: true }, 1_000_000);
await Upload.terminate(ended.url, { headers });
assert.equal((await fetch(ended.url, { method: 'HEAD', headers: { ...headers, 'Tus-Resumable': '1.0.0' } })).status, 404);
