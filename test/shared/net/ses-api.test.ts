import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { Config } from '../../../infra/config.ts'
import { maxSesMessageOctets, SesApi, sesApiFor } from '../../../shared/net/ses-api.ts'
import { startSes } from '../../support/fake-ses.ts'
import { testAccount } from '../../support/lambda.ts'

describe('the API of Amazon SES for a message', () => {
  const sizes: [octets: number, api: ReturnType<typeof sesApiFor>][] = [
    [0, 'V1'],
    // 7864320 octets are 10485760 octets of base64, the limit of API v1.
    [7_864_320, 'V1'],
    [7_864_321, 'V2'],
    [10_485_760, 'V2'],
    [maxSesMessageOctets, 'V2'],
    [maxSesMessageOctets + 1, null],
  ]
  for (const [octets, api] of sizes)
    it(`of ${octets} octets is ${api ?? 'none'}`, () => assert.equal(sesApiFor(octets), api))

  it('exists for the largest message that EHLO can announce, with a mebibyte of header fields added', () => {
    const announced = (maximumMessageSize: number) =>
      Config.safeParse({
        hostname: 'mail.ours.example',
        tlsSecretArn: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:tls-AbCdEf',
        ingress: { maximumMessageSize },
      }).success
    const limit = 36_700_160
    assert.deepEqual([announced(limit), announced(limit + 1)], [true, false])
    assert.equal(sesApiFor(limit + 1_048_576), 'V2')
  })

  it('is loaded for the first message that needs it, if it is V2', () => {
    const program = `
      import { registerHooks } from 'node:module'
      const loaded = []
      registerHooks({
        resolve(specifier, context, next) {
          if (specifier.startsWith('@aws-sdk/client-ses')) loaded.push(specifier)
          return next(specifier, context)
        },
      })
      const { SesApi } = await import('./shared/net/ses-api.ts')
      const api = new SesApi({ ...${JSON.stringify(testAccount)}, endpoint: 'http://127.0.0.1:1', maxAttempts: 1 })
      const mail = { mailFrom: '', recipients: [], configurationSet: 'x' }
      for (const octets of [1, 8_000_000]) {
        await api.send({ ...mail, content: Buffer.alloc(octets) }, AbortSignal.timeout(9_000)).catch(() => {})
        console.log(new Set(loaded).size)
      }`
    const arguments_ = ['--input-type=module', '--eval', program]
    assert.deepEqual(execFileSync(process.execPath, arguments_, { encoding: 'utf8' }).split('\n'), [
      '1',
      '2',
      '',
    ])
  })
})

describe('the quota of Amazon SES', () => {
  it('is read from GetSendQuota', async (context) => {
    const service = await startSes()
    context.after(() => service.stop())
    const api = new SesApi({ endpoint: service.url, ...testAccount, maxAttempts: 1 })
    service.quota = { maxSendRate: 1, max24HourSend: -1, sentLast24Hours: 17 }
    assert.deepEqual(await api.readQuota(AbortSignal.timeout(9_000)), service.quota)
    service.quota = { status: 403, name: 'AccessDenied' }
    await assert.rejects(api.readQuota(AbortSignal.timeout(9_000)), { name: 'AccessDenied' })
  })
})
