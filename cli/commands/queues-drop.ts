/** `queues drop`: bounces mail that waits, without a DSN. */
import { defineCommand } from '../command.ts'
import { actOptions, idsUsage, requestForQueues } from '../queues/request-for-queues.ts'

export const dropQueues = defineCommand({
  positionalUsage: idsUsage,
  requiredOptions: '--because TEXT',
  usesApi: true,
  options: actOptions,
  details: `
Give the ids of messages, or options that select mail. Neither sender nor recipient gets a mail about it. An attempt
under way ends first. The command needs the role administer, and asks before it drops more than one message.
`,
  run: (invocation) => requestForQueues('drop', invocation),
})
