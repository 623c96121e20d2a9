/**
 * Measures the ingress and a delivery again, and compares each verdict with docs/generated/conformance.md. sslscan
 * and OpenSSL confirm the measurement, as does testssl.test.ts for the same certificates.
 */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from 'node:tls'
import { deviations } from '../../shared/conformance/deviations.ts'
import type { MeasuredFacts } from '../../shared/conformance/facts.ts'
import { recordedFacts } from '../../shared/conformance/recorded-facts.ts'
import { clientTlsOptions } from '../../shared/net/tls-client.ts'
import { opportunistic } from '../../shared/tls/requirement.ts'
import { type ConformanceRow, rowsFor } from '../docs/conformance.ts'
import {
  ingressName,
  type MeasuredIngress,
  measureConformance,
  startMeasuredIngress,
} from '../support/conformance.ts'
import { missing } from '../support/peers/peers.ts'
import { selfSigned } from '../support/pki.ts'
import { freePort } from '../support/process.ts'
import { within } from '../support/within.ts'

const skip = missing('sslscan', 'apt-get install sslscan') || missing('openssl', 'apt-get install openssl')

const folder = mkdtempSync(join(tmpdir(), 'mailflow-conformance-'))
let measured: MeasuredIngress
let facts: MeasuredFacts

before(async () => {
  if (skip) return
  measured = await startMeasuredIngress()
  facts = await measureConformance(measured)
})

after(async () => {
  await measured?.ingress.drain()
  rmSync(folder, { recursive: true, force: true })
})

const endpoint = () => `127.0.0.1:${measured.ingress.smtpPort}`

describe('the conformance of the ingress and of deliveries', { skip, timeout: 90_000 }, () => {
  it('is the conformance on the page', () => {
    const verdictsOf = (rows: readonly ConformanceRow[]) =>
      rows.map(({ id, verdict, seen }) => `${id}: ${verdict} (${seen})`)
    const [now, then] = [rowsFor(facts), rowsFor(recordedFacts)]
    assert.deepEqual(verdictsOf(now.server), verdictsOf(then.server))
    assert.deepEqual(verdictsOf(now.client), verdictsOf(then.client))
  })

  it('lacks exactly what the page gives a reason for, and each criterion is measured', () => {
    const { server, client } = rowsFor(facts)
    const idsOf = (...verdicts: string[]) =>
      [...server, ...client].filter(({ verdict }) => verdicts.includes(verdict)).map(({ id }) => id)
    assert.deepEqual(idsOf('FAIL', 'WARN').sort(), Object.keys(deviations).sort())
    assert.deepEqual(idsOf('NOT MEASURED'), [])
  })

  it('agrees with sslscan about versions, compression, renegotiation, suites and groups', async () => {
    const output = await run('sslscan', ['--starttls-smtp', '--no-colour', '--show-sigs', endpoint()])
    const { versions, suites, groups } = facts.server
    for (const version of ['SSLv2', 'SSLv3', 'TLSv1.0', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'])
      assert.match(
        output,
        new RegExp(
          `^${version} +${versions?.some((each) => each === version) ? 'enabled' : 'disabled'}$`,
          'm',
        ),
      )
    assert.match(output, /^Compression disabled$/m)
    assert.match(output, /^Session renegotiation not supported$|^Secure session renegotiation supported$/m)
    const scannedSuites = [...output.matchAll(/^(?:Preferred|Accepted) +TLSv1\.[23] +\d+ bits +(\S+)/gm)]
    assert.equal(scannedSuites.length, (suites.tls12?.length ?? 0) + (suites.tls13?.length ?? 0))
    const scannedGroups = [...output.matchAll(/^TLSv1\.3 +\d+ bits +(\S+)/gm)].map(([, name]) => name)
    assert.deepEqual(
      scannedGroups.filter((name) => /^(secp|x25519|brainpool)/.test(name ?? '')).sort(),
      groups.tls13?.filter((name) => !name.includes('MLKEM')).sort(),
    )
    assert.doesNotMatch(output, /_sha1\b|_sha224\b/)
  })

  it("agrees with OpenSSL's server about the signature algorithms of a delivery", async (t) => {
    const { cert, key } = await selfSigned({ names: [ingressName] })
    const file = join(folder, 'server.pem')
    writeFileSync(file, `${key}\n${cert}`)
    const port = await freePort()
    const server = spawn('openssl', ['s_server', '-accept', `127.0.0.1:${port}`, '-cert', file])
    t.after(() => server.kill())
    let output = ''
    const lineWith = async (pattern: RegExp): Promise<string> => {
      for (;;) {
        const [line] = pattern.exec(output) ?? []
        if (line !== undefined) return line
        output += (await once(server.stdout, 'data'))[0]
      }
    }
    await within(10_000, lineWith(/^ACCEPT$/m), 'the start of the server')
    const client = connect({ port, host: '127.0.0.1', ...clientTlsOptions(opportunistic, [], null) })
    t.after(() => client.destroy())
    const line = await within(10_000, lineWith(/^Signature Algorithms: .*$/m), 'the handshake')
    const algorithms = line.replace(/^.*?: /, '')
    assert.equal(algorithms.split(':').length, facts.client.signatures.length, algorithms)
    assert.doesNotMatch(algorithms, /sha1\b|sha224|dsa_sha/i)
  })
})

/** Ignores the exit code. */
function run(program: string, args: string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd: folder }, (_, stdout, stderr) => resolve(stdout + stderr))
    child.stdin?.end()
  })
}
