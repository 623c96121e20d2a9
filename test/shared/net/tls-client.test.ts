/** The ClientHello of a delivery, as a server records it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type HopRequirement, opportunistic } from '../../../shared/tls/requirement.ts'
import { extensionTypes, helloFor, listIn } from '../../support/hello.ts'

const forced: HopRequirement = { ...opportunistic, level: 'DomainValidation', source: 'Connector' }
const requirements: [name: string, requirement: HopRequirement, versions: number[]][] = [
  ['opportunistic mail', opportunistic, [0x0304, 0x0303]],
  ['forced TLS', forced, [0x0304, 0x0303]],
  ['forced TLS 1.3', { ...forced, minimumTlsVersion: 'TLSv1.3' }, [0x0304]],
]

for (const [name, requirement, versions] of requirements)
  test(`${name} offers no TLS below 1.2, no compression and no signature with SHA-1, SHA-224 or DSA`, async () => {
    const hello = await helloFor(requirement)
    assert.deepEqual(listIn(hello, extensionTypes.supportedVersions, 1), versions)
    assert.deepEqual(hello.compressionMethods, [0])
    // Each algorithm of TLS 1.2 is hash and signature: MD5, SHA-1 and SHA-224 are 1 to 3, DSA is 2 (RFC 5246 §7.4.1.4.1).
    const algorithms = listIn(hello, extensionTypes.signatureAlgorithms)
    const isWeak = (algorithm: number) =>
      algorithm >> 8 <= 3 || (algorithm >> 8 <= 6 && (algorithm & 0xff) === 2)
    assert.deepEqual(algorithms.filter(isWeak), [])
    // ECDSA, Ed25519 and RSA, the last as PSS and as PKCS #1.
    for (const algorithm of [0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0401, 0x0501, 0x0601])
      assert.ok(algorithms.includes(algorithm), algorithm.toString(16))
  })

test('a delivery offers the extended master secret, and resumes no session', async () => {
  const { extensions } = await helloFor(opportunistic)
  assert.ok(extensions.has(extensionTypes.extendedMasterSecret))
  assert.equal(extensions.has(extensionTypes.preSharedKey), false)
  assert.equal(extensions.get(extensionTypes.sessionTicket)?.length ?? 0, 0)
})
