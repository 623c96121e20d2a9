/** `queues release`: delivers mail that inbound connectors hold. */
import { defineCommand } from '../command.ts'
import { actOptions, idsUsage, requestForQueues } from '../queues/request-for-queues.ts'

export const releaseQueues = defineCommand({
  positionalUsage: idsUsage,
  requiredOptions: '--because TEXT',
  usesApi: true,
  options: actOptions,
  details: `
Give the ids of messages, or options that select mail. Mail that an inbound connector holds is delivered despite its
violation; other mail is left alone. What the outbound connector requires still applies: if the next hop does not meet
it, the mail waits. The command asks before it releases more than one message.
`,
  run: (invocation) => requestForQueues('release', invocation),
})
