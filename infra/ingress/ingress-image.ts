import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { IgnoreMode } from 'aws-cdk-lib'
import { Platform } from 'aws-cdk-lib/aws-ecr-assets'
import { ContainerImage } from 'aws-cdk-lib/aws-ecs'
import { repositoryRoot } from '../repository.ts'

const dockerfile = 'functions/smtp-ingress/Dockerfile'

/**
 * The ingress's image, built from the repository's root. Docker's own ignore file for this Dockerfile also says
 * what the asset's hash is made of, so that a change to anything else deploys no new task.
 */
export function ingressImage(): ContainerImage {
  return ContainerImage.fromAsset(repositoryRoot, {
    file: dockerfile,
    platform: Platform.LINUX_ARM64,
    ignoreMode: IgnoreMode.DOCKER,
    exclude: ignoreLines(readFileSync(join(repositoryRoot, `${dockerfile}.dockerignore`), 'utf8')),
  })
}

function ignoreLines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}
