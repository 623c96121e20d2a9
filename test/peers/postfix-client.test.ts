/** Postfix as a partner's client. The log of Postfix shows its sessions with the ingress. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startTestIngress, type TestIngress, Wire } from '../support/ingress/ingress.ts'
import { missing, Postfix } from '../support/peers/peers.ts'
import { createPki, fingerprintOf, type Identity } from '../support/pki.ts'

const skip = missing('postfix', 'apt-get install postfix', true)

const folder = mkdtempSync(join(tmpdir(), 'mailflow-postfix-client-'))
let ingress: TestIngress
let identity: Identity

before(async () => {
  if (skip) return
  identity = await (await createPki()).issue({ names: ['mail.contoso.example'] })
  // Tickets expire at the end of the hour.
  ingress = await startTestIngress({ at: new Date() })
})

after(async () => {
  await ingress?.drain()
  rmSync(folder, { recursive: true, force: true })
})

/**
 * Starts a Postfix that relays all mail to the ingress and caches TLS sessions.
 * @param client certificate of Postfix, if it has one
 */
function startSender(client?: Identity): Promise<Postfix> {
  const chain = join(folder, 'client.pem')
  if (client) writeFileSync(chain, `${client.key}\n${client.cert}\n`, { mode: 0o600 })
  return Postfix.start({
    domain: 'contoso.example',
    settings: {
      mynetworks: '127.0.0.0/8',
      smtpd_relay_restrictions: 'permit_mynetworks, reject',
      relayhost: `[127.0.0.1]:${ingress.smtpPort}`,
      smtp_tls_security_level: 'encrypt',
      smtp_tls_session_cache_database: 'btree:$data_directory/sessions',
      // One connection per message.
      smtp_connection_cache_on_demand: 'no',
      smtp_tls_loglevel: '2',
      // The ingress requests no certificate from a client whose address and name had none before.
      ...(client && { smtp_tls_chain_files: chain, smtp_helo_name: 'certified.contoso.example' }),
    },
  })
}

/**
 * Sends one message, and resolves when the ingress has accepted it.
 * @returns Postfix's log lines about the message
 */
async function send(postfix: Postfix): Promise<string> {
  const from = postfix.log.length
  const wire = await Wire.greet(postfix.port)
  const reply = await wire.send('Subject: x\r\n\r\ntext\r\n', 'a@contoso.example')
  assert.match(reply, /^250 /)
  wire.destroy()
  await postfix.logged(/postfix\/smtp\[.*to=<b@ours\.example>.*status=sent \(250 2\.0\.0 Ok: queued as/, from)
  return postfix.log.slice(from).join('\n')
}

describe("Postfix's client, connected to the ingress,", { skip, timeout: 60_000 }, () => {
  it('without a client certificate resumes its TLS 1.3 session', async (t) => {
    const postfix = await startSender()
    t.after(() => postfix.stop())
    const established =
      /TLS connection established to 127\.0\.0\.1\S*: TLSv1\.3 with cipher TLS_AES_256_GCM_SHA384/
    const first = await send(postfix)
    assert.match(first, established)
    assert.doesNotMatch(first, /Reusing old session/)
    const second = await send(postfix)
    assert.match(second, established)
    assert.match(second, /Reusing old session/)
  })

  it('with a client certificate resumes no session, and each job has the certificate', async (t) => {
    const postfix = await startSender(identity)
    t.after(() => postfix.stop())
    const count = ingress.queue.jobs.length
    for (let times = 0; times < 3; times++) assert.doesNotMatch(await send(postfix), /Reusing old session/)
    assert.deepEqual(
      ingress.queue.jobs.slice(count).map(({ message }) => message.tls.clientCertificate?.fingerprint256),
      Array.from({ length: 3 }, () => fingerprintOf(identity)),
    )
  })
})
