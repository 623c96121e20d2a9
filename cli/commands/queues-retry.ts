/** `queues retry`: decides now about mail that waits. */
import { defineCommand } from '../command.ts'
import { actOptions, idsUsage, requestForQueues } from '../queues/request-for-queues.ts'

export const retryQueues = defineCommand({
  positionalUsage: idsUsage,
  usesApi: true,
  options: actOptions,
  details: `
Give the ids of messages, or options that select mail: mail that matches all of them is decided now, by the current
connectors. It is sent only if their requirements are met, and no less than those of its first decision.
`,
  run: (invocation) => requestForQueues('retry', invocation),
})
