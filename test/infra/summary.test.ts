import { join } from 'node:path'
import { test } from 'node:test'
import { resources, resourcesOfType, text, toList } from '../support/synthesis.ts'

/**
 * The resources and permissions on one page, so that a review shows every change. To update the page, run `node
 * --test --test-update-snapshots test/infra/summary.test.ts`.
 */
test('the resources and permissions of the stack are those of the reviewed stack-summary.txt', (context) => {
  const page = ['Resources', ...counts(), '', 'Permissions', ...permissions(), ''].join('\n')
  context.assert.fileSnapshot(page, join(import.meta.dirname, 'stack-summary.txt'), { serializers: [String] })
})

function counts(): string[] {
  const byType = Map.groupBy(resources(), ({ Type }) => Type)
  return [...byType].map(([type, all]) => `  ${type} ${all.length}`).sort()
}

function permissions(): string[] {
  return resourcesOfType('AWS::IAM::Policy')
    .map(({ Properties }) =>
      [`  ${name(Properties.Roles[0].Ref)}`, ...lines(Properties.PolicyDocument)].join('\n'),
    )
    .sort()
}

function lines({ Statement }: { Statement: { Action: string | string[]; Resource: unknown }[] }): string[] {
  return Statement.flatMap(({ Action, Resource }) =>
    toList(Resource).map((resource) => `    ${name(text(resource))}: ${toList(Action).join(' ')}`),
  ).sort()
}

/** Drops the hash at the end of logical ids. */
function name(id: string): string {
  return id.replace(/([A-Za-z])[0-9A-F]{8}\b/g, '$1')
}
