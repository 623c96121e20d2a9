/** A change of certificates under load: open sessions continue, new sessions get the new certificate. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startTestIngress, Wire } from '../../support/ingress/ingress.ts'
import { createPki, type Identity } from '../../support/pki.ts'

const pki = await createPki()
const [old, renewed, renewedRsa, oldRsa, wrong] = await Promise.all([
  pki.issue({ names: ['mx.ours.example'], commonName: 'old' }),
  pki.issue({ names: ['mx.ours.example'], commonName: 'renewed' }),
  pki.issue({ names: ['mx.ours.example'], commonName: 'renewed', rsa: true }),
  pki.issue({ names: ['mx.ours.example'], commonName: 'old', rsa: true }),
  pki.issue({ names: ['mail.ours.example'], commonName: 'wrong' }),
])
const joinPairs = (ec: Identity, rsa: Identity) => ({
  certificate: `${ec.cert}\n${rsa.cert}`,
  privateKey: `${ec.key}\n${rsa.key}`,
})
const connectionsPerSecond = 20
/** Of concurrent sessions: a slow machine begins fewer in a second. */
const maxOpen = 10

interface Session {
  /** Start and end of the handshake. */
  handshakeStart: number
  handshakeEnd: number
  /** Subject of the server's certificate. */
  presented: string
}

async function sendMessage(port: number, ciphers: object): Promise<Session> {
  const wire = await Wire.greet(port)
  await wire.command('STARTTLS')
  const handshakeStart = Date.now()
  const socket = await wire.secure({
    ca: pki.ca,
    rejectUnauthorized: true,
    servername: 'mx.ours.example',
    ...ciphers,
  })
  const handshakeEnd = Date.now()
  const presented = socket.getPeerX509Certificate()?.subject ?? ''
  await wire.command('EHLO client.example')
  assert.match(await wire.send('Subject: x\r\n\r\ntext\r\n'), /^250 /)
  await wire.command('QUIT')
  return { handshakeStart, handshakeEnd, presented }
}

/** Clients with TLS 1.3, with TLS 1.2, and with RSA only, in turn. */
const kinds = [
  {},
  { maxVersion: 'TLSv1.2' },
  { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES256-GCM-SHA384' },
]

async function runLoad(port: number, isEnough: () => boolean, clients: object[] = kinds) {
  const sessions: Promise<Session>[] = []
  let open = 0
  for (let number = 0; !isEnough(); ) {
    if (open < maxOpen) {
      open += 1
      const session = sendMessage(port, clients[number++ % clients.length] ?? {})
      sessions.push(session.finally(() => (open -= 1)))
    }
    await delay(1000 / connectionsPerSecond)
  }
  const results = await Promise.allSettled(sessions)
  return {
    failed: results.filter(({ status }) => status === 'rejected'),
    sessions: results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
  }
}

/** Sends half a message. @returns a function that ends it and returns the reply */
async function startMessage(port: number) {
  const wire = await Wire.greet(port)
  await wire.startTls()
  for (const line of ['MAIL FROM:<a@elsewhere.example>', 'RCPT TO:<b@ours.example>', 'DATA'])
    await wire.command(line)
  wire.write('Subject: half\r\n\r\n')
  return () => wire.command('text\r\n.')
}

test('the ingress serves the next certificate from its date, under load, without a failed handshake or an ended session', async (t) => {
  const servedFrom = Date.now() + 3000
  const next = { ...joinPairs(renewed, renewedRsa), servedFrom: new Date(servedFrom).toISOString() }
  const ingress = await startTestIngress({
    readCertificates: async () => JSON.stringify({ ...joinPairs(old, oldRsa), next }),
  })
  t.after(() => ingress.drain())
  const finish = await Promise.all(Array.from({ length: 5 }, () => startMessage(ingress.smtpPort)))
  const switchedAt = () => {
    const line = ingress.lines.find(({ message }) => String(message).startsWith('certificates switched'))
    return line === undefined ? Number.POSITIVE_INFINITY : Date.parse(String(line.timestamp))
  }
  const { failed, sessions } = await runLoad(ingress.smtpPort, () => Date.now() > switchedAt() + 1500)
  assert.deepEqual(failed, [])
  assert.ok(switchedAt() >= servedFrom)
  for (const { handshakeEnd, handshakeStart, presented } of sessions) {
    if (handshakeEnd < servedFrom) assert.equal(presented, 'CN=old')
    if (handshakeStart > switchedAt()) assert.equal(presented, 'CN=renewed')
  }
  assert.ok(sessions.some(({ presented }) => presented === 'CN=old'))
  assert.ok(sessions.some(({ presented }) => presented === 'CN=renewed'))
  for (const reply of await Promise.all(finish.map((end) => end()))) assert.match(reply, /^250 /)
  const failures = ingress.lines.filter(({ level }) => level === 'error' || level === 'warn')
  assert.deepEqual(failures, [])
})

test('the ingress refuses a next certificate for another name, logs the reason, and serves the old one beyond the date', async (t) => {
  const due = Date.now() + 1500
  const servedFrom = new Date(due).toISOString()
  const current = { certificate: old.cert, privateKey: old.key }
  const next = { certificate: wrong.cert, privateKey: wrong.key, servedFrom }
  let secret: object = current
  const ingress = await startTestIngress({ readCertificates: async () => JSON.stringify(secret) })
  t.after(() => ingress.drain())
  secret = { ...current, next }
  const finish = await startMessage(ingress.smtpPort)
  const { failed, sessions } = await runLoad(
    ingress.smtpPort,
    () => Date.now() > due + 2000,
    kinds.slice(0, 2),
  )
  assert.deepEqual(failed, [])
  assert.deepEqual([...new Set(sessions.map(({ presented }) => presented))], ['CN=old'])
  assert.match(await finish(), /^250 /)
  const { certificates, reason, detail } = await ingress.logged(
    'certificates are refused: the previous ones stay in use',
  )
  assert.deepEqual([certificates, reason], ['Next', 'Name'])
  assert.match(String(detail), /^CN=wrong .* is for mail\.ours\.example, not for mx\.ours\.example$/)
})
