import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { IgnoreMode } from 'aws-cdk-lib'
import { ContainerImage } from 'aws-cdk-lib/aws-ecs'
import { repositoryRoot } from '../repository.ts'

const dockerfile = 'functions/smtp-ingress/Dockerfile'

/**
 * The image of the ingress, built from the repository root. The asset's hash uses the Dockerfile's ignore file, so
 * that unrelated changes deploy no new task. The Dockerfile sets the platform, because the platform of an asset would
 * also apply to the build stage, which then ran under emulation.
 */
export function ingressImage(): ContainerImage {
  return ContainerImage.fromAsset(repositoryRoot, {
    file: dockerfile,
    ignoreMode: IgnoreMode.DOCKER,
    exclude: parseIgnoreFile(readFileSync(join(repositoryRoot, `${dockerfile}.dockerignore`), 'utf8')),
  })
}

function parseIgnoreFile(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}
