/** Several processes, each of which reads the secret by itself and switches by its own clock. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Wire } from '../../support/ingress/ingress.ts'
import { secrets, settings, start, TaskLog } from '../../support/ingress/task.ts'
import { createPki } from '../../support/pki.ts'

const pki = await createPki()
const [old, renewed] = await Promise.all(
  ['old', 'renewed'].map((commonName) => pki.issue({ names: ['mx.ours.example'], commonName })),
)
const arn = 'arn:aws:secretsmanager:eu-central-1:000000000000:secret:tls-AbCdEf'

async function shown(port: number): Promise<string> {
  const wire = await Wire.greet(port)
  const socket = await wire.startTls({ ca: pki.ca, rejectUnauthorized: true, servername: 'mx.ours.example' })
  const { subject = '' } = socket.getPeerX509Certificate() ?? {}
  wire.destroy()
  return subject
}

test('every worker serves the next certificate from its date', { timeout: 30_000 }, async () => {
  assert.ok(old && renewed)
  const servedFrom = Date.now() + 6000
  const next = {
    certificate: renewed.cert,
    privateKey: renewed.key,
    servedFrom: new Date(servedFrom).toISOString(),
  }
  secrets.create(arn, JSON.stringify({ certificate: old.cert, privateKey: old.key, next }))
  const { TLS_CERTIFICATE: _certificate, TLS_PRIVATE_KEY: _key, ...others } = await settings()
  const child = start({ ...others, WORKERS: '2', TLS_SECRET_ARN: arn })
  const { smtpPort } = await new TaskLog(child).next('listening')
  const before = await Promise.all(Array.from({ length: 6 }, () => shown(Number(smtpPort))))
  assert.deepEqual([...new Set(before)], ['CN=old'])
  await delay(servedFrom + 500 - Date.now())
  const after = await Promise.all(Array.from({ length: 6 }, () => shown(Number(smtpPort))))
  assert.deepEqual([...new Set(after)], ['CN=renewed'])
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
})

test('a process whose secret is not there, or is of no use, ends with the reason in one line', {
  timeout: 30_000,
}, async () => {
  const { TLS_CERTIFICATE: _certificate, TLS_PRIVATE_KEY: _key, ...others } = await settings()
  const useless = 'arn:aws:secretsmanager:eu-central-1:000000000000:secret:useless-AbCdEf'
  secrets.create(useless, '{"certificate": "none", "privateKey": "PRIVATE KEY-----not to be told"}')
  const ends = async (more: Record<string, string>) => {
    const child = start({ ...others, ...more })
    let said = ''
    child.stderr?.on('data', (chunk) => {
      said += chunk
    })
    await once(child, 'close')
    return said
  }
  const [missing, unfit, none] = await Promise.all([
    ends({ TLS_SECRET_ARN: arn.replace('tls', 'elsewhere') }),
    ends({ TLS_SECRET_ARN: useless }),
    ends({}),
  ])
  assert.match(missing, /^smtp-ingress cannot start: .*can't find the specified secret/)
  assert.match(
    unfit,
    /^smtp-ingress cannot start: the secret does not have its fields as it has to: certificate \(/,
  )
  assert.match(none, /^smtp-ingress cannot start: environment: TLS_SECRET_ARN: is required where/)
  assert.ok(!unfit.includes('not to be told'))
})
