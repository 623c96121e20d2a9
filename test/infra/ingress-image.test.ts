import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { IngressEnvironment } from '../../shared/contract/environment.ts'
import { assemble, onlyResource } from '../support/synthesis.ts'

const dockerfile = readFileSync('functions/smtp-ingress/Dockerfile', 'utf8')

const empty = mkdtempSync(join(tmpdir(), 'mailflow-image-'))
after(() => rmSync(empty, { recursive: true, force: true }))

test('the ingress image is built only from the code of the ingress and shared code, so no other file changes its hash', () => {
  const { directory, artifacts } = assemble({}, { context: { 'aws:cdk:bundling-stacks': [] } })
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

test('the base image has the exact Node version of the tests, and a build argument for its digest', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'))
  assert.deepEqual(
    instructions(dockerfile).filter(([name]) => ['ARG', 'FROM'].includes(name)),
    [
      ['ARG', `NODE_IMAGE=node:${packages['node_modules/node'].version}-slim`],
      ['ARG', 'NODE_DIGEST='],
      ['ARG', 'TASK_PLATFORM=linux/arm64'],
      ['FROM', '$NODE_IMAGE$NODE_DIGEST AS build'],
      ['FROM', '--platform=$TASK_PLATFORM $NODE_IMAGE$NODE_DIGEST'],
    ],
  )
})

test('the ingress image builds without BuildKit', () => {
  assert.deepEqual(buildKitSyntax(dockerfile), [])
})

const needsBuildKit: [string, string][] = [
  ['# syntax=docker/dockerfile:1\nFROM node', '# syntax=docker/dockerfile:1'],
  ['FROM --platform=$BUILDPLATFORM node', '$BUILDPLATFORM'],
  ['FROM node\nRUN --mount=type=cache,target=/root npm ci', '--mount'],
  ['FROM node\nRUN <<EOF\nnpm ci\nEOF', '<<EOF'],
  ['FROM node\nCOPY --chmod=0700 . .', '--chmod'],
  ['FROM node\nCOPY --link . .', '--link'],
]

for (const [text, found] of needsBuildKit)
  test(`${found} in a Dockerfile needs BuildKit`, () => {
    assert.deepEqual(buildKitSyntax(text), [found])
  })

test('no step of the ingress image runs under emulation: only the stage without commands names a platform', () => {
  const [, build, final, ...others] = dockerfile.split(/^FROM /m)
  assert.equal(others.length, 0)
  assert.doesNotMatch(build ?? '', /--platform/)
  assert.doesNotMatch(final ?? '', /^RUN/m)
  const { directory } = assemble()
  const manifest = JSON.parse(readFileSync(join(directory, 'Mailflow.assets.json'), 'utf8'))
  const [image] = Object.values<{ source: { platform?: string } }>(manifest.dockerImages)
  assert.ok(image)
  assert.equal(image.source.platform, undefined)
  const task = onlyResource('AWS::ECS::TaskDefinition').Properties.RuntimePlatform
  assert.match(dockerfile, new RegExp(`^ARG TASK_PLATFORM=linux/${task.CpuArchitecture.toLowerCase()}$`, 'm'))
})

test('the final stage of the ingress image copies only the bundle and the spool, and does not run as root', () => {
  const final = (dockerfile.split(/^FROM /m).at(-1) ?? '').split('\n')
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

/** Returns name and arguments of each instruction of a Dockerfile. */
function instructions(text: string): [name: string, args: string][] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return lines.map((line) => [line.split(' ', 1)[0] ?? '', line.slice(line.indexOf(' ') + 1)])
}

/**
 * Returns what only BuildKit understands
 * (https://docs.docker.com/reference/dockerfile/): parser directives, mounts, here-documents, some flags of COPY, and
 * the automatic platform arguments.
 */
function buildKitSyntax(text: string): string[] {
  const patterns = [
    /^# *(syntax|check)=.*$/gim,
    /--(mount|network|security|chmod|link|parents|exclude|keep-git-dir|checksum)\b/g,
    /<<-?["']?\w+/g,
    /\$\{?(BUILD|TARGET)(PLATFORM|OS|ARCH|VARIANT)\}?/g,
  ]
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([found]) => found))
}
