import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import { connectStores } from '../../../functions/deliver-message/stores.ts'
import { DeliverEnvironment, readEnvironment } from '../../../shared/contract/environment.ts'
import { startDeliverMessage } from '../../support/deliver-message.ts'

it('deliver-message caches revocation statuses under its own keys, separate from those of the ingress', async (t) => {
  const { database, stop } = await startDeliverMessage()
  t.after(stop)
  const { revocations } = connectStores(readEnvironment(DeliverEnvironment, process.env))
  const url = 'http://ocsp.ca.example/'
  await revocations.save(
    { fingerprint: 'ab'.repeat(32), kind: 'Ocsp', url },
    {
      source: { kind: 'Ocsp', url, status: 'Good', detail: 'not revoked', nextUpdate: null },
      renewAt: 1,
      validUntil: 2,
    },
  )
  const { Items } = await database.documents.send(new ScanCommand({ TableName: database.transportTable }))
  assert.deepEqual(
    Items?.map(({ pk }) => pk),
    [`revocation#delivery#${'ab'.repeat(32)}`],
  )
})
