/**
 * Before the session's TLS was assessed, no value exists with which a command of a mail transaction could be written.
 * The compiler checks the calls below, because each must have a type error. The calls run, too: a forged value writes
 * nothing.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientSession } from '../../../../shared/net/smtp/client-session.ts'
import { assessSession, type TlsClearance } from '../../../../shared/net/smtp/tls-clearance.ts'
import type { ServerTls } from '../../../../shared/tls/assess-server-tls.ts'
import { type HopRequirement, opportunistic } from '../../../../shared/tls/requirement.ts'

function session() {
  const written: string[] = []
  const talk = new ClientSession({
    write: (octets) => written.push(String(octets)) > 0,
    startTls() {},
    end() {},
    destroy() {},
    startWait() {},
  })
  return { talk, written }
}

const inTheClear = { kind: 'NotOffered', serverReply: null } as const
/** The files of a part share one process: a time limit that began at import would be over when the test runs. */
const assess = (session: ClientSession, tls: ServerTls, enforced: HopRequirement) =>
  assessSession(session, tls, { enforced, signal: AbortSignal.timeout(10_000) })

async function clearanceOf(talk: ClientSession): Promise<TlsClearance> {
  const assessment = await assess(talk, inTheClear, opportunistic)
  assert.equal(assessment.kind, 'Met')
  return (assessment as Extract<typeof assessment, { kind: 'Met' }>).clearance
}

test('the types permit no command of a mail transaction without a clearance, and no clearance without an assessment', () => {
  const { talk, written } = session()
  // @ts-expect-error MAIL is not an opening command.
  assert.throws(() => talk.writeOpening('MAIL FROM:<a@ours.example>'))
  // @ts-expect-error A clearance is not an object with its methods: the class has a private field.
  const forged: TlsClearance = { covers: () => true }
  assert.ok(forged)
  // @ts-expect-error Octets need a clearance.
  assert.throws(() => talk.write(null, 'MAIL FROM:<a@ours.example>\r\n', 1))
  assert.throws(
    () => talk.writeOpening('EHLO a\r\nMAIL FROM:<a@ours.example>'),
    /not a command that may open a session/,
  )
  assert.deepEqual(written, [])
})

test('a clearance of one session writes nothing in another', async () => {
  const [one, other] = [session(), session()]
  const clearance = await clearanceOf(one.talk)
  assert.throws(() => other.talk.write(clearance, 'MAIL FROM:<>\r\n', 1), /a clearance of another session/)
  assert.deepEqual(other.written, [])
  one.talk.write(clearance, 'MAIL FROM:<>\r\n', 1)
  assert.deepEqual(one.written, ['MAIL FROM:<>\r\n'])
})

test('no clearance exists for forced TLS in the clear, even when the facts claim TLS', async () => {
  const { talk } = session()
  const tls = {
    kind: 'Established',
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    group: null,
    trusted: true,
    trustedBy: [],
    trustError: null,
    names: { subjectAltNames: [], commonName: null },
    fingerprint256: null,
    chain: [],
    certificates: [],
  } as const
  const enforced = { ...opportunistic, level: 'EncryptionOnly', source: 'Connector' } as const
  await assert.rejects(assess(talk, tls, enforced), /forced TLS, but the session is in the clear/)
})
