/** `connectors disable`: disables a connector. */
import { defineCommand } from '../command.ts'
import { editChange, editOptions, planFor } from '../connectors/edit-connectors.ts'
import { changeQuestion, makeChanges } from '../connectors/make-changes.ts'

export const disableConnector = defineCommand({
  positionalUsage: { usage: 'NAME|ID', minCount: 1, maxCount: 1 },
  usesApi: true,
  options: editOptions,
  async run({ values, positionals: [nameOrId = ''], io, api }) {
    const plan = planFor(nameOrId, values.direction, (found) =>
      editChange(found, (_, fields) => ({ ...fields, enabled: false })),
    )
    return makeChanges(plan, changeQuestion, values, { api, io })
  },
})
