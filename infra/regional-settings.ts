/**
 * Settings that name resources of the stack's Region. AWS refuses a resource of another Region when the deployment reaches
 * it, or the unit that uses it fails. Pure.
 */

export interface RegionalSettings {
  readonly tlsSecretArn?: string | undefined
  readonly tlsSecretKeyArn?: string | undefined
  readonly encryptionKeyArn?: string | undefined
  readonly alarmsTopicArn?: string | undefined
  readonly sesIdentityArns: readonly string[]
  readonly api?: { readonly certificateArn: string } | undefined
  readonly mtaSts?: { readonly certificateArn?: string | undefined; readonly cloudFront: boolean } | undefined
  readonly tlsReporting: {
    readonly dkim?: { readonly secretArn: string; readonly secretKeyArn?: string | undefined } | undefined
  }
  readonly network: {
    readonly existingVpc?: { readonly availabilityZones: readonly string[] } | undefined
  }
}

export interface OtherRegion {
  /** Keys of the setting, from the outermost. */
  readonly path: string[]
  readonly message: string
}

/** Returns each setting whose Region is not that of the first setting with a Region. */
export function otherRegions(settings: RegionalSettings): OtherRegion[] {
  const [first, ...others] = Object.entries(regions(settings)).flatMap(([name, region]) =>
    region === undefined ? [] : [{ name, region }],
  )
  return others
    .filter(({ region }) => region !== first?.region)
    .map(({ name, region }) => ({
      path: name.split('.'),
      message: `is in ${region}, and ${first?.name} in ${first?.region}: both must be in the stack's Region`,
    }))
}

const regions = (settings: RegionalSettings): Record<string, string | undefined> => ({
  tlsSecretArn: regionOf(settings.tlsSecretArn),
  tlsSecretKeyArn: regionOf(settings.tlsSecretKeyArn),
  encryptionKeyArn: regionOf(settings.encryptionKeyArn),
  alarmsTopicArn: regionOf(settings.alarmsTopicArn),
  'api.certificateArn': regionOf(settings.api?.certificateArn),
  // CloudFront accepts certificates of us-east-1 only, in every Region.
  'mtaSts.certificateArn': regionOf(
    settings.mtaSts?.cloudFront ? undefined : settings.mtaSts?.certificateArn,
  ),
  'tlsReporting.dkim.secretArn': regionOf(settings.tlsReporting.dkim?.secretArn),
  'tlsReporting.dkim.secretKeyArn': regionOf(settings.tlsReporting.dkim?.secretKeyArn),
  'network.existingVpc.availabilityZones': settings.network.existingVpc?.availabilityZones[0]?.slice(0, -1),
  ...Object.fromEntries(
    settings.sesIdentityArns.map((arn, index) => [`sesIdentityArns.${index}`, regionOf(arn)]),
  ),
})

const regionOf = (arn: string | undefined): string | undefined => arn?.split(':')[3]
