/** `connectors enable`: enables a connector. */
import { defineCommand } from '../command.ts'
import { editChange, editOptions, planFor } from '../connectors/edit-connectors.ts'
import { changeQuestion, makeChanges } from '../connectors/make-changes.ts'

export const enableConnector = defineCommand({
  positionalUsage: { usage: 'NAME|ID', minCount: 1, maxCount: 1 },
  usesApi: true,
  options: editOptions,
  async run({ values, positionals: [nameOrId = ''], io, api }) {
    const plan = planFor(nameOrId, values.direction, (found) =>
      editChange(found, (_, fields) => ({ ...fields, enabled: true })),
    )
    return makeChanges(plan, changeQuestion, values, { api, io })
  },
})
