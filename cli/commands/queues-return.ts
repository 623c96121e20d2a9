/** `queues return`: bounces mail that waits. */
import { defineCommand } from '../command.ts'
import { actOptions, idsUsage, requestForQueues } from '../queues/request-for-queues.ts'

export const returnQueues = defineCommand({
  positionalUsage: idsUsage,
  usesApi: true,
  options: actOptions,
  details: `
Give the ids of messages, or options that select mail. An attempt under way ends first. The command asks before it
returns more than one message.
`,
  run: (invocation) => requestForQueues('return', invocation),
})
