/** `retry`: requests an immediate attempt for deferred mail. */
import { defineCommand } from '../command.ts'
import {
  findRequestedConnectors,
  mailRequestOptions,
  requestForMail,
} from '../connectors/request-for-mail.ts'

export const retry = defineCommand({
  positionalUsage: { usage: '[ID]', minCount: 0, maxCount: 1 },
  usesApi: true,
  options: mailRequestOptions,
  details: `
Give the id of a message, or --connector. The gateway evaluates the current connectors again for each message, and sends
it only if their requirements are met, and no less than those of its first decision. When an inbound and an outbound
connector have the same name, both are included.
`,
  run: (invocation) => requestForMail('retry', 'retry', invocation, findRequestedConnectors),
})
