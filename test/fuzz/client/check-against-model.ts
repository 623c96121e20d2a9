/** Compares what the client reports with the messages that a server which follows the protocol has accepted. */
import assert from 'node:assert/strict'
import type { ModelServer } from './model-server.ts'
import type { SeenTransaction } from './seen-transaction.ts'

export function checkAgainstModel(
  { accepted, clientFaults }: ModelServer,
  transactions: readonly SeenTransaction[],
): void {
  assert.deepEqual(clientFaults, [], 'the server has read what the client did not mean')
  const senders = accepted.map(({ from }) => from)
  assert.equal(new Set(senders).size, senders.length, 'a message was accepted twice')
  for (const sender of senders)
    assert.ok(
      transactions.some((transaction) => transaction.sender === sender),
      `a message of ${sender}`,
    )
  for (const transaction of transactions) checkTransaction(transaction, accepted)
}

function checkTransaction(
  { sender, content, addresses, result }: SeenTransaction,
  accepted: ModelServer['accepted'],
): void {
  assert.ok(result, 'a message without a result')
  const message = accepted.find(({ from }) => from === sender)
  if (message) {
    assert.equal(message.content, content, 'the content')
    assert.ok(!result.isNotBegun, 'isNotBegun, but the server has accepted the message')
    assert.ok(
      message.recipients.every((address) => addresses.includes(address)),
      'recipients',
    )
  }
  for (const address of addresses) {
    const hasMessage = message?.recipients.includes(address) ?? false
    const isDelivered = (result.replies.get(address)?.code ?? 0) < 300
    if (isDelivered) assert.ok(hasMessage, `${address} was reported as delivered`)
    if (hasMessage)
      assert.ok(
        isDelivered || result.unanswered.includes(address),
        `${address} was reported as not delivered`,
      )
  }
}
