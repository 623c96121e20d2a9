import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { IngressEnvironment } from '../../shared/contract/environment.ts'
import { assemble, onlyResource } from '../support/synthesis.ts'

const empty = mkdtempSync(join(tmpdir(), 'mailflow-image-'))
after(() => rmSync(empty, { recursive: true, force: true }))

test('the ingress image is built only from the code of the ingress and shared code, so no other file changes its hash', () => {
  const { directory, artifacts } = assemble()
  const manifest = JSON.parse(readFileSync(join(directory, 'Mailflow.assets.json'), 'utf8'))
  const [image] = Object.values<{ source: { directory: string } }>(manifest.dockerImages)
  const context = join(directory, image?.source.directory ?? '')
  assert.notEqual(artifacts.length, 0)
  assert.deepEqual(readdirSync(context).sort(), [
    '.npmrc',
    'functions',
    'package-lock.json',
    'package.json',
    'shared',
    'tsconfig.json',
  ])
  assert.deepEqual(readdirSync(join(context, 'functions')), ['smtp-ingress'])
})

test('the final stage of the ingress image copies only the bundle and the spool, and does not run as root', () => {
  const stages = readFileSync('functions/smtp-ingress/Dockerfile', 'utf8').split(/^FROM /m)
  const final = (stages.at(-1) ?? '').split('\n')
  assert.match(final[0] ?? '', /^node:24-slim$/)
  assert.deepEqual(
    final.filter((line) => /^(COPY|ADD|RUN)/.test(line)),
    ['COPY --from=build /build/dist/ ./', 'COPY --from=build --chown=node:node /spool /spool'],
  )
  assert.deepEqual(
    final.filter((line) => line.startsWith('USER')),
    ['USER node'],
  )
})

test('the spool is the mounted volume of the task and belongs to the user that runs the ingress', () => {
  const dockerfile = readFileSync('functions/smtp-ingress/Dockerfile', 'utf8')
  const [, volume] = /^VOLUME (\S+)$/m.exec(dockerfile) ?? []
  assert.match(dockerfile, new RegExp(`^COPY .*--chown=node:node \\S+ ${volume}$`, 'm'))
  assert.match(dockerfile, new RegExp(`^ENV .*\\bSPOOL_DIRECTORY=${volume}$`, 'm'))
  const { ContainerDefinitions, Volumes } = onlyResource('AWS::ECS::TaskDefinition').Properties
  assert.deepEqual(ContainerDefinitions[0].MountPoints, [
    { ContainerPath: volume, ReadOnly: false, SourceVolume: Volumes[0].Name },
  ])
})

test('the bundle of the ingress needs no other file: alone in a folder, it runs and reports the missing environment variables', () => {
  const bundle = join(empty, 'smtp-ingress.mjs')
  const npm = spawnSync(
    'npm',
    ['run', '--silent', 'build:ingress', '--', `--outfile=${bundle}`, '--log-level=error'],
    { encoding: 'utf8' },
  )
  assert.equal(npm.status, 0, npm.stderr)
  const run = spawnSync(process.execPath, ['--enable-source-maps', bundle], {
    cwd: empty,
    env: {},
    encoding: 'utf8',
  })
  assert.equal(run.status, 1)
  const required = Object.entries(IngressEnvironment.shape).filter(
    ([, schema]) => !schema.safeParse(undefined).success,
  )
  for (const [name] of required)
    assert.match(run.stderr, new RegExp(`^smtp-ingress cannot start: .*${name}: `))
})
