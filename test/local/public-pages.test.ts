/** Tests the public HTTP pages of a gateway. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { PublishedCertificates } from '../../shared/contract/certificates.ts'
import { Api, type RunnerProcess, SmtpClient, waitForResult } from '../support/local/runner.ts'
import { shareRunner } from '../support/local/shared-runner.ts'

const shared = shareRunner()
let running: RunnerProcess

before(async () => {
  running = await shared.enter()
})
after(() => shared.leave())

/** fetch() cannot set the Host header. */
function fetchPage(path: string, { host, method = 'GET' }: { host?: string; method?: string } = {}) {
  return new Promise<{ status: number | undefined; type: string | undefined; body: string }>(
    (resolve, reject) => {
      const url = new URL(path, running.endpoints.pages)
      request(url, { method, ...(host && { headers: { host } }) }, async (response) =>
        resolve({
          status: response.statusCode,
          type: response.headers['content-type'],
          body: await text(response),
        }),
      )
        .on('error', reject)
        .end()
    },
  )
}

test('the public page, its JSON, its PEM and the API show the certificate that the ingress presents', async () => {
  const results = await waitForResult(async () => {
    const { status, body } = await fetchPage('/certificates.json')
    return status === 200 ? PublishedCertificates.parse(JSON.parse(body)) : null
  })
  const client = await SmtpClient.open(running.endpoints, {})
  const certificate = client.serverCertificate
  client.close()
  const fingerprint = certificate?.fingerprint256.replaceAll(':', '').toLowerCase()
  assert.deepEqual(
    results.certificates.map(({ state, fingerprint256 }) => [state, fingerprint256]),
    [['Current', fingerprint]],
  )
  assert.deepEqual(await new Api(running.endpoints).call('GET', '/certificates'), results)
  const page = await fetchPage('/')
  assert.deepEqual([page.status, page.type], [200, 'text/html; charset=utf-8'])
  assert.ok(page.body.includes(`${fingerprint}`))
  const pem = await fetchPage(`/certificates/${fingerprint}.pem`)
  assert.equal(new X509Certificate(pem.body).fingerprint256, certificate?.fingerprint256)
})

test('no public page contains an ARN or the number of the account', async () => {
  const pages = await Promise.all(
    ['/', '/certificates.json', '/.well-known/mta-sts.txt', '/nothing'].map(async (path) => {
      const response = await fetch(new URL(path, running.endpoints.pages))
      return `${[...response.headers].join('\n')}\n${await response.text()}`
    }),
  )
  for (const page of pages) assert.doesNotMatch(page, /arn:|\b\d{12}\b/)
  assert.match(pages[0] ?? '', /To subscribe, write to/)
})

test('the MTA-STS policy is served at the policy host of an accepted domain', async () => {
  const fetchPolicy = () => fetchPage('/.well-known/mta-sts.txt', { host: 'mta-sts.branch.example' })
  assert.equal((await fetchPolicy()).status, 404)
  await new Api(running.endpoints).call('PUT', '/accepted-domains/branch.example', {})
  const { status, type, body } = await fetchPolicy()
  assert.deepEqual([status, type], [200, 'text/plain; charset=utf-8'])
  assert.match(body, /^version: STSv1\r\nmode: testing\r\nmx: [a-z.]+\r\nmax_age: 604800\r\n$/)
})

test('the public pages serve no administrative path and accept no writes', async () => {
  for (const path of ['/accepted-domains', '/inbound-connectors', '/messages', '/openapi.json'])
    assert.equal((await fetchPage(path)).status, 404, path)
  assert.equal((await fetchPage('/', { method: 'POST' })).status, 405)
  const response = await fetch(`${running.endpoints.api}/.well-known/mta-sts.txt`)
  assert.equal(response.status, 404)
})

test('HEAD of the public page gets its content type without content', async () => {
  const { body, type } = await fetchPage('/', { method: 'HEAD' })
  assert.deepEqual([body, type], ['', 'text/html; charset=utf-8'])
})
