import * as z from 'zod'
import { Config } from '../../infra/config.ts'
import { docComments, parseComment } from './doc-comments.ts'
import { code, page, table } from './markdown.ts'
import { type Field, fieldsOf, type JsonSchema, typeOf } from './schema.ts'

const comments = new Map([...docComments('infra/config.ts'), ...docComments('infra/network-settings.ts')])

/**
 * Returns the comment of a setting. For `ingress.cpu`, it is the comment of `Config.ingress.cpu`, or of `cpu` in the
 * constant `Ingress`. Functions share the comments of `unit`, and keys those of `SigningKey`.
 */
function commentOf(path: string): string | undefined {
  const names = path.split('.')
  const constantPaths = names.map((_, index) => capitalised(names.slice(index).join('.')))
  const shared = ['unit', 'SigningKey'].map((constant) => `${constant}.${names.at(-1)}`)
  return [`Config.${path}`, ...constantPaths, ...shared]
    .map((commentPath) => comments.get(commentPath))
    .find((comment) => comment !== undefined)
}

/** Returns an empty text when the setting has no comment. */
export const descriptionOf = (path: string): string => parseComment(commentOf(path)).text

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** Every setting. A setting that contains other settings is included only if it has its own comment. */
export const settings: readonly Field[] = fieldsOf(
  z.toJSONSchema(Config, { io: 'input', unrepresentable: 'any' }) as JsonSchema,
  () => false,
).filter(({ path, schema }) => schema.type !== 'object' || descriptionOf(path) !== '')

function defaultOf({ path, schema, isRequired }: Field): string {
  if (schema.type === 'object' && schema.default !== undefined) return ''
  if (isRequired) return 'required'
  return schema.default === undefined
    ? (parseComment(commentOf(path)).default ?? '–')
    : code(JSON.stringify(schema.default))
}

export const settingsPage = (): string =>
  page(
    'Settings',
    '`infra/config.ts`',
    'The object `mailflow` in the context of `cdk.json`. A setting within another is written with a dot: `ingress.cpu`. `cdk synth` refuses an unknown setting or a value out of range, by its name. A setting without a default (–) may be left out; a *required* one may be left out with the object that holds it.',
    table(
      ['Setting', 'Value', 'Default', 'Meaning'],
      settings.map((setting) => [
        code(setting.path),
        typeOf(setting.schema),
        defaultOf(setting),
        descriptionOf(setting.path),
      ]),
    ),
  )
