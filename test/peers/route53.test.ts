/** The TLSA records of the ingress in the Route 53 of moto, an AWS emulator by other authors. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { Route53Zone } from '../../functions/rotate-certificate/route53-zone.ts'
import { CredentialsCache } from '../../shared/aws/credentials-cache.ts'

/** Debian's own interpreter, which has python3-moto. */
const python = '/usr/bin/python3'
const script = join(import.meta.dirname, 'route53.py')
const isInstalled = spawnSync(python, ['-c', 'from moto.server import ThreadedMotoServer']).status === 0
const skip =
  isInstalled || process.env.CI ? false : 'moto is missing: apt-get install python3-moto python3-flask-cors'

test('moto stores and lists the TLSA records that the function writes, and reports that its zone is not signed', {
  skip,
}, async () => {
  const moto = spawn(python, [script], { stdio: ['pipe', 'pipe', 'ignore'] })
  const lines = createInterface(moto.stdout)[Symbol.asyncIterator]()
  const lineOf = async (word: string): Promise<string> => {
    for (;;) {
      const { value, done } = await lines.next()
      if (done) throw new Error(`moto ended without the line "${word}"`)
      if (value.startsWith(`${word} `)) return value.slice(word.length + 1)
    }
  }
  try {
    const [port, id = ''] = (await lineOf('zone')).split(' ')
    const credentials = new CredentialsCache(async () => ({ accessKeyId: 'id', secretAccessKey: 'key' }))
    const zone = new Route53Zone(id, credentials, {
      isSecure: false,
      hostname: '127.0.0.1',
      port: Number(port),
      path: '',
      region: 'us-east-1',
      service: 'route53',
    })
    assert.equal(await zone.signingStatus(), 'NOT_SIGNING')
    const name = '_25._tcp.mx.ours.example'
    assert.equal(await zone.read(name), null)
    const values = ['a', 'b'].map((letter) => `3 1 1 ${letter.repeat(64)}`)
    for (const set of [values.slice(0, 1), values].map((each) => ({ ttlSeconds: 300, values: each }))) {
      await zone.write(name, set)
      assert.deepEqual(await zone.read(name), set)
    }
    moto.stdin.end()
    assert.deepEqual(JSON.parse(await lineOf('records')), [
      { Name: `${name}.`, Type: 'TLSA', TTL: 300, ResourceRecords: values.map((Value) => ({ Value })) },
    ])
    await once(moto, 'exit')
  } finally {
    moto.kill()
  }
})
