/** `connectors delete`: deletes a connector. */
import { defineCommand } from '../command.ts'
import { editOptions, planFor, removal } from '../connectors/edit-connectors.ts'
import { changeQuestion, makeChanges } from '../connectors/make-changes.ts'

export const deleteConnector = defineCommand({
  positionalUsage: { usage: 'NAME|ID', minCount: 1, maxCount: 1 },
  usesApi: true,
  options: editOptions,
  async run({ values, positionals: [nameOrId = ''], io, api }) {
    return makeChanges(planFor(nameOrId, values.direction, removal), changeQuestion, values, { api, io })
  },
})
