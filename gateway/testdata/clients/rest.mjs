// Clients as they come from npm do their usual work: node rest.mjs BASE TOKEN CHART
import assert from 'node:assert/strict';
import { Client } from 'fhir-kit-client';

globalThis.WebSocket ??= EventTarget; // which the package looks for, and Node has from 22 on; nothing here opens one
const { MedplumClient } = await import('@medplum/core');

const [base, token, chart] = process.argv.slice(2);
const condition = (number, text) => ({
  resourceType: 'Condition', identifier: [{ system: 'urn:clients', value: number }], code: { text }, subject: { reference: `Patient/${chart}` },
  clinicalStatus: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }] },
});

const kit = new Client({ baseUrl: base, bearerToken: token });
assert.equal((await kit.capabilityStatement()).fhirVersion, '4.0.1');
const made = await kit.create({ resourceType: 'Condition', body: condition('kit', 'asthma') });
assert.equal((await kit.read({ resourceType: 'Condition', id: made.id })).code.text, 'asthma');
const updated = await kit.update({ resourceType: 'Condition', id: made.id, body: { ...made, code: { text: 'asthma, mild' } } });
assert.notEqual(updated.meta.versionId, made.meta.versionId);
assert.equal((await kit.vread({ resourceType: 'Condition', id: made.id, version: made.meta.versionId })).code.text, 'asthma');
const patched = await kit.patch({ resourceType: 'Condition', id: made.id, jsonPatch: [{ op: 'replace', path: '/code/text', value: 'asthma, severe' }] });
assert.equal(patched.code.text, 'asthma, severe');
assert.equal((await kit.history({ resourceType: 'Condition', id: made.id })).entry.length, 3);
assert.equal((await kit.search({ resourceType: 'Condition', searchParams: { patient: chart, identifier: 'urn:clients|kit' } })).total, 1);
const done = await kit.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry: [
  { fullUrl: 'urn:uuid:7f2c6d1e-5b1c-4d0a-9a47-1c2f2b8d2a10', resource: condition('kit-2', 'gout'), request: { method: 'POST', url: 'Condition' } },
  { request: { method: 'DELETE', url: `Condition/${made.id}` } },
] } });
assert.deepEqual(done.entry.map((e) => e.response.status.slice(0, 3)), ['201', '204']);
await assert.rejects(kit.read({ resourceType: 'Condition', id: made.id }), (e) => e.response.status === 410);

const medplum = new MedplumClient({ baseUrl: new URL('/', base).href, fhirUrlPath: 'fhir', cacheTime: 0 });
medplum.setAccessToken(token);
const first = await medplum.createResource(condition('medplum', 'asthma'));
assert.equal((await medplum.readResource('Condition', first.id)).code.text, 'asthma');
const next = await medplum.updateResource({ ...first, code: { text: 'asthma, mild' } });
assert.notEqual(next.meta.versionId, first.meta.versionId);
assert.equal((await medplum.readVersion('Condition', first.id, first.meta.versionId)).code.text, 'asthma');
assert.equal((await medplum.patchResource('Condition', first.id, [{ op: 'replace', path: '/code/text', value: 'asthma, severe' }])).code.text, 'asthma, severe');
assert.deepEqual((await medplum.searchResources('Condition', { patient: chart, identifier: 'urn:clients|medplum' })).map((c) => c.id), [first.id]);
assert.equal((await medplum.readHistory('Condition', first.id)).entry.length, 3);
const query = `patient=${chart}&identifier=urn:clients|medplum-2`;
const once = await medplum.createResourceIfNoneExist(condition('medplum-2', 'gout'), query);
const twice = await medplum.createResourceIfNoneExist(condition('medplum-2', 'another'), query);
assert.equal(twice.id, once.id);
assert.equal(twice.code.text, 'gout');
const summary = await medplum.readPatientSummary(chart);
assert.equal(summary.entry[0].resource.resourceType, 'Composition');
const batch = await medplum.executeBatch({ resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'GET', url: `Condition/${once.id}` } }] });
assert.equal(batch.entry[0].resource.id, once.id);
await medplum.deleteResource('Condition', first.id);
await assert.rejects(medplum.readResource('Condition', first.id), (e) => e.outcome.issue[0].code === 'deleted');
