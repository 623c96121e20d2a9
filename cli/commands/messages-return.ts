/** `messages return`: bounces waiting mail. */
import { defineCommand } from '../command.ts'
import { confirmedRequestOptions, confirmReturn } from '../connectors/request-for-mail.ts'

export const returnMessages = defineCommand({
  positionalUsage: { usage: '[ID]', minCount: 0, maxCount: 1 },
  usesApi: true,
  options: confirmedRequestOptions,
  details: `
Give the id of a message, or --connector with the name of an outbound connector, or the id of one that may be deleted.
An attempt under way ends first.
`,
  run: confirmReturn,
})
