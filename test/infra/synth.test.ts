import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { linkBundles, sourcesDigest } from '../../infra/local/bundle-cache.ts'
import { sourcesContext } from '../../infra/unit.ts'
import { assemble, deployments, type Json } from '../support/synthesis.ts'

const outdir = mkdtempSync(join(tmpdir(), 'mailflow-cdk-'))
after(() => rmSync(outdir, { recursive: true, force: true }))

test('cdk synth needs neither Docker nor AWS credentials, and bundles each function with all its dependencies', () => {
  const run = shippedSynth()
  assert.equal(run.status, 0, run.stderr)
  const template: Json = JSON.parse(readFileSync(join(outdir, 'shipped/Mailflow.template.json'), 'utf8'))
  const keys = Object.values<Json>(template.Resources)
    .filter(({ Type }) => Type === 'AWS::Lambda::Function')
    .map(({ Properties }) => Properties.Code.S3Key.replace('.zip', ''))
  assert.equal(new Set(keys).size, 16)
  for (const key of keys) {
    const folder = join(outdir, `shipped/asset.${key}`)
    const files = readdirSync(folder)
    assert.deepEqual(
      files.filter((name) => name !== 'node_modules'),
      ['index.cjs'],
    )
    assert.deepEqual(missingModules(join(folder, 'index.cjs')), [])
  }
})

test('cdk synth warns only of the example values of cdk.json, and of alarms without a receiver', () => {
  const { stdout, stderr } = shippedSynth()
  const warnings = `${stdout}${stderr}`.split('\n').filter((line) => line.startsWith('WARNING'))
  const settings = warnings.map((line) => line.match(/mailflow\.\w+/)?.[0] ?? line)
  assert.deepEqual(settings.sort(), ['mailflow.alarmEmail', 'mailflow.hostname', 'mailflow.tlsSecretArn'])
})

test('cdk synth says how to turn on deletion protection, and which quotas the stack can use up', () => {
  const { stdout, stderr } = shippedSynth()
  assert.match(
    `${stdout}${stderr}`,
    /up to 170 of Lambda: Concurrent executions \(L-B99A9384\) and 5 of Fargate/,
  )
  assert.match(
    `${stdout}${stderr}`,
    /Deletion protection is off: .* set mailflow\.deletionProtection to true/,
  )
})

for (const [name, mailflow] of Object.entries(deployments).filter(([name]) => name !== 'as shipped'))
  test(`a deployment ${name} satisfies CloudFormation's schema`, () => {
    const { directory } = assemble(mailflow, { validate: true })
    const report: Json = JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8'))
    assert.deepEqual(report.pluginReports, [])
  })

const sources = sourcesDigest()
let synthesised: SpawnSyncReturns<string> | undefined

/**
 * Runs `npx cdk synth` with the cdk.json of the repository, once for all tests. The environment of this process is
 * not inherited, so there is no AWS profile, Region or Docker. Bundles of the same sources are used again.
 */
function shippedSynth() {
  if (synthesised !== undefined) return synthesised
  const shipped = join(outdir, 'shipped')
  mkdirSync(shipped)
  linkBundles(sources, shipped)
  const context = ['--context', `${sourcesContext}=${sources}`]
  const command = ['node_modules/.bin/cdk', 'synth', '--quiet', '--output', shipped, ...context]
  const env = { PATH: `${join(process.cwd(), 'node_modules/.bin')}:/usr/bin:/bin`, HOME: outdir }
  synthesised = spawnSync(process.execPath, command, { encoding: 'utf8', env })
  return synthesised
}

/**
 * Returns the modules that a bundle requires and that neither Node nor its folder has. The SDK requires its signer for
 * several Regions only if that is installed.
 */
function missingModules(link: string): string[] {
  const path = realpathSync(link)
  const modules = [...readFileSync(path, 'utf8').matchAll(/require\("([^"]+)"\)/g)].map(
    ([, name = '']) => name,
  )
  const { resolve } = createRequire(path)
  const isInFolder = (name: string) => resolve(name).startsWith(dirname(path))
  return modules.filter(
    (name) => name !== '@aws-sdk/signature-v4-crt' && !isBuiltin(name) && !isInFolder(name),
  )
}
