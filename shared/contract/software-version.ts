/** The version of this release; a test compares it with package.json. */
export const softwareVersion = '0.2.0'
