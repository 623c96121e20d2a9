import 'reflect-metadata'
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type CheckedChain, RevocationChecker } from '../../../../shared/net/revocation/checker.ts'
import {
  type CachedSource,
  noStore,
  type RevocationStore,
  type SourceKey,
} from '../../../../shared/net/revocation/revocation-store.ts'
import { certificatesIn } from '../../../../shared/tls/pem.ts'
import { fakeResolver } from '../../../support/dns.ts'
import { type Behaviour, startRevocationAuthority } from '../../../support/revocation-authority.ts'
import { simulateTimeouts } from '../../../support/simulated-timeouts.ts'
import { within } from '../../../support/within.ts'

const minute = 60_000

let authority: Awaited<ReturnType<typeof startRevocationAuthority>>
let later = 0
const now = () => new Date(Date.now() + later)
beforeEach(async () => {
  later = 0
  authority = await startRevocationAuthority()
})
afterEach(() => authority.stop())

const checker = (store: RevocationStore = noStore) =>
  new RevocationChecker({ resolver: fakeResolver({}), privateNetworks: authority.networks, store, now })

const issue = async () => (await authority.issue({ names: ['mx.bank.example'] })).cert

const questionOf = (cert: string) => ({
  chain: certificatesIn(cert).map((pem) => new X509Certificate(pem)),
  anchors: [new X509Certificate(authority.root.ca)],
  at: now(),
})

function memoryStore(): RevocationStore & { results: Map<string, CachedSource> } {
  const results = new Map<string, CachedSource>()
  const nameOf = ({ fingerprint, kind, url }: SourceKey) => `${fingerprint} ${kind} ${url}`
  return {
    results,
    read: async (key) => results.get(nameOf(key)) ?? null,
    save: async (key, source) => void results.set(nameOf(key), source),
  }
}

/** The result of each source, by certificate. */
const said = ({ certificates }: CheckedChain): string[] =>
  certificates.map(({ sources }) => sources.map(({ kind, status }) => `${kind} ${status}`).join(', '))

describe('The revocation status of a chain', () => {
  it('is Good when the OCSP responder of each certificate below the root says so', async () => {
    const result = await checker().check(questionOf(await issue()))
    assert.equal(result.status, 'Good')
    assert.deepEqual(said(result), ['Ocsp Good', 'Ocsp Good'])
    assert.deepEqual(authority.requests.sort(), ['POST /issuing/ocsp', 'POST /root/ocsp'])
  })

  it('is Revoked, with name, time and reason, when its leaf is revoked', async () => {
    const cert = await issue()
    authority.revoke(cert, { at: new Date('2026-03-04T05:06:07Z'), reason: 1 })
    const { status, detail } = await checker().check(questionOf(cert))
    assert.equal(status, 'Revoked')
    assert.equal(detail, 'CN=mx.bank.example: revoked on 2026-03-04T05:06:07.000Z: keyCompromise')
  })

  it('is Revoked when an intermediate CA is revoked', async () => {
    const cert = await issue()
    authority.revoke(authority.intermediate.ca)
    const { status, detail } = await checker().check(questionOf(cert))
    assert.equal(status, 'Revoked')
    assert.match(detail, /^CN=Revocation Issuing: revoked on/)
  })

  for (const ocsp of ['Stale', 'WrongSignature', 'Garbage', 'Busy', 'Unreachable'] satisfies Behaviour[])
    it(`is that of the CRLs when the OCSP responders are ${ocsp}`, async () => {
      authority.setBehaviour({ ocsp })
      const cert = await issue()
      authority.revoke(cert)
      const result = await checker().check(questionOf(cert))
      assert.equal(result.status, 'Revoked')
      assert.deepEqual(said(result), ['Ocsp Unknown, Crl Revoked', 'Ocsp Unknown, Crl Good'])
    })

  it('is that of the CRLs, fetched after a second, when the OCSP responders are silent', async (t) => {
    authority.setBehaviour({ ocsp: 'Silent' })
    const question = questionOf(await issue())
    const clock = simulateTimeouts(t)
    const checking = checker().check(question)
    await authority.requested(2)
    clock.advance(999)
    assert.deepEqual(authority.requests.sort(), ['POST /issuing/ocsp', 'POST /root/ocsp'])
    clock.advance(1)
    const result = await within(4_000, checking, 'the status from CRLs')
    assert.equal(result.status, 'Good')
    assert.deepEqual(said(result), ['Ocsp Unknown, Crl Good', 'Ocsp Unknown, Crl Good'])
  })

  it('is Good when a delegated OCSP responder of the issuer says so', async () => {
    authority.setBehaviour({ ocsp: 'Delegated', crl: 'Busy' })
    assert.equal((await checker().check(questionOf(await issue()))).status, 'Good')
  })

  it('is Unknown, with the errors of all sources, when no source has a result', async () => {
    authority.setBehaviour({ ocsp: 'Busy', crl: 'Busy' })
    const { status, detail } = await checker().check(questionOf(await issue()))
    assert.equal(status, 'Unknown')
    assert.equal(
      detail,
      `CN=mx.bank.example: ${authority.origin}/issuing/ocsp: The responder answered tryLater; ${authority.origin}/issuing.crl: The server answered 503`,
    )
  })

  it('is Unknown after three seconds when every source is silent', async (t) => {
    authority.setBehaviour({ ocsp: 'Silent', crl: 'Silent' })
    const question = questionOf(await issue())
    const clock = simulateTimeouts(t)
    let isOver = false
    const checking = checker()
      .check(question)
      .finally(() => {
        isOver = true
      })
    await authority.requested(2)
    clock.advance(1_000)
    await authority.requested(4)
    clock.advance(1_999)
    await delay(50)
    assert.ok(!isOver)
    clock.advance(1)
    assert.equal((await within(4_000, checking, 'the end')).status, 'Unknown')
  })

  it("is Unknown when its caller's signal aborts before a source responds", async (t) => {
    authority.setBehaviour({ ocsp: 'Silent', crl: 'Silent' })
    const question = questionOf(await issue())
    simulateTimeouts(t)
    const caller = new AbortController()
    const checking = checker().check(question, caller.signal)
    await authority.requested(2)
    caller.abort()
    assert.equal((await within(4_000, checking, 'the end')).status, 'Unknown')
  })

  it('is Good, without a request, when its certificates name neither CRL nor OCSP responder', async () => {
    const { cert } = await authority.intermediate.issue({ names: ['mx.bank.example'] })
    const [leaf = ''] = certificatesIn(cert)
    const question = { ...questionOf(leaf), anchors: [new X509Certificate(authority.intermediate.ca)] }
    const result = await checker().check(question)
    assert.deepEqual([result.status, result.detail], ['Good', 'it names no CRL or OCSP responder'])
    assert.deepEqual(authority.requests, [])
  })

  it('is Unknown, without a request, when an issuer is missing', async () => {
    const [leaf = ''] = certificatesIn(await issue())
    const { status, detail } = await checker().check(questionOf(leaf))
    assert.equal(status, 'Unknown')
    assert.match(detail, /its issuer is not known/)
    assert.deepEqual(authority.requests, [])
  })

  it('does not depend on certificates from the trust anchor upwards', async () => {
    const question = {
      ...questionOf(await issue()),
      anchors: [new X509Certificate(authority.intermediate.ca)],
    }
    assert.deepEqual(said(await checker().check(question)), ['Ocsp Good'])
  })

  it('is Unknown, without a request, when its sources have private addresses outside privateNetworks', async () => {
    const strict = new RevocationChecker({
      resolver: fakeResolver({}),
      privateNetworks: [],
      store: noStore,
      now,
    })
    const { status, detail } = await strict.check(questionOf(await issue()))
    assert.equal(status, 'Unknown')
    assert.match(detail, /127\.0\.0\.1 has no address that may be used/)
    assert.deepEqual(authority.requests, [])
  })
})

describe('The result of a source of revocation', () => {
  it('is requested once for concurrent calls', async () => {
    const worker = checker()
    const question = questionOf(await issue())
    await Promise.all(Array.from({ length: 20 }, () => worker.check(question)))
    assert.equal(authority.requests.length, 2)
  })

  it('is cached for an hour, then requested again', async () => {
    const worker = checker()
    const cert = await issue()
    await worker.check(questionOf(cert))
    authority.revoke(cert)
    later = 59 * minute
    assert.equal((await worker.check(questionOf(cert))).status, 'Good')
    later = 61 * minute
    assert.equal((await worker.check(questionOf(cert))).status, 'Revoked')
  })

  it('is used until it expires when the sources are unreachable', async () => {
    const worker = checker(memoryStore())
    const cert = await issue()
    authority.revoke(cert)
    await worker.check(questionOf(cert))
    authority.setBehaviour({ ocsp: 'Unreachable', crl: 'Unreachable' })
    later = 6 * 24 * 60 * minute
    assert.equal((await worker.check(questionOf(cert))).status, 'Revoked')
    later = 8 * 24 * 60 * minute
    assert.equal((await worker.check(questionOf(cert))).status, 'Unknown')
  })

  it('that says Revoked is not replaced by a later result that says Good', async () => {
    const store = memoryStore()
    const cert = await issue()
    const worker = checker(store)
    authority.revoke(cert)
    await worker.check(questionOf(cert))
    authority.unrevoke(cert)
    later = 61 * minute
    for (const each of [worker, checker(store)])
      assert.equal((await each.check(questionOf(cert))).status, 'Revoked')
  })

  it('that says Revoked for certificateHold is replaced by a later result that says Good', async () => {
    const worker = checker()
    const cert = await issue()
    authority.revoke(cert, { reason: 6 })
    assert.equal((await worker.check(questionOf(cert))).status, 'Revoked')
    authority.unrevoke(cert)
    later = 61 * minute
    assert.equal((await worker.check(questionOf(cert))).status, 'Good')
  })

  it('stays in the table when a worker cannot read the table and no source responds', async () => {
    const store = memoryStore()
    const cert = await issue()
    authority.revoke(cert)
    await checker(store).check(questionOf(cert))
    authority.setBehaviour({ ocsp: 'Unreachable', crl: 'Unreachable' })
    later = 61 * minute
    const unreadable = { ...store, read: async () => Promise.reject(new Error('throttled')) }
    assert.equal((await checker(unreadable).check(questionOf(cert))).status, 'Unknown')
    assert.equal((await checker(store).check(questionOf(cert))).status, 'Revoked')
  })

  it("in one worker's cache is not replaced by another worker's missing result in the table", async () => {
    const store = memoryStore()
    const cert = await issue()
    authority.revoke(cert)
    const worker = checker(store)
    await worker.check(questionOf(cert))
    authority.setBehaviour({ ocsp: 'Unreachable', crl: 'Unreachable' })
    later = 61 * minute
    store.results.clear()
    assert.equal((await checker(store).check(questionOf(cert))).status, 'Unknown')
    assert.equal((await worker.check(questionOf(cert))).status, 'Revoked')
  })

  it('of one worker is used by another through the table, without a request', async () => {
    const store = memoryStore()
    const cert = await issue()
    await checker(store).check(questionOf(cert))
    authority.requests.length = 0
    assert.equal((await checker(store).check(questionOf(cert))).status, 'Good')
    assert.deepEqual(authority.requests, [])
  })

  it('is used although the table cannot be read or written', async () => {
    const broken = async () => Promise.reject(new Error('no table'))
    assert.equal(
      (await checker({ read: broken, save: broken }).check(questionOf(await issue()))).status,
      'Good',
    )
  })

  it('that is missing is requested again after five minutes', async () => {
    authority.setBehaviour({ ocsp: 'Busy', crl: 'Busy' })
    const worker = checker()
    const cert = await issue()
    await worker.check(questionOf(cert))
    authority.requests.length = 0
    authority.setBehaviour({ ocsp: 'Honest' })
    later = 4 * minute
    assert.equal((await worker.check(questionOf(cert))).status, 'Unknown')
    assert.deepEqual(authority.requests, [])
    later = 6 * minute
    assert.equal((await worker.check(questionOf(cert))).status, 'Good')
  })

  it('that needs one of many CRLs waits, because at most three CRLs are fetched at the same time', async () => {
    authority.setBehaviour({ ocsp: 'Busy', crl: 'Silent' })
    const worker = checker()
    const questions = await Promise.all(Array.from({ length: 8 }, async () => questionOf(await issue())))
    const early = questions.map((question) => worker.check(question, AbortSignal.timeout(500)))
    assert.ok((await Promise.all(early)).every(({ status }) => status === 'Unknown'))
    assert.equal(authority.requests.filter((request) => request.startsWith('GET')).length, 3)
    authority.setBehaviour({ crl: 'Honest' })
    authority.release()
    await worker.waitForPending(5_000)
    for (const question of questions) assert.equal((await worker.check(question)).status, 'Good')
  })

  it('that arrives after the end of a call is used by the next call, without a request', async () => {
    authority.setBehaviour({ ocsp: 'Silent', crl: 'Busy' })
    const worker = checker()
    const cert = await issue()
    const early = await worker.check(questionOf(cert), AbortSignal.timeout(50))
    assert.equal(early.status, 'Unknown')
    authority.release()
    await worker.waitForPending(2_000)
    authority.requests.length = 0
    assert.equal((await worker.check(questionOf(cert))).status, 'Good')
    assert.deepEqual(authority.requests, [])
  })
})
