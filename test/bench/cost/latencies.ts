/**
 * Milliseconds until a service of AWS answers in its Region, which the recording adds to the emulators' answers, so that
 * functions wait as they would wait in a deployment. They are assumptions: AWS promises single-digit milliseconds for
 * DynamoDB (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Introduction.html) and 100 to 200 for small
 * objects of S3 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html), and typically
 * answers faster.
 */
export const latenciesMs: Readonly<Record<string, number>> = {
  dynamodb: 5,
  sqs: 10,
  s3: 40,
  ses: 60,
  sns: 20,
  events: 20,
  secretsmanager: 20,
  lambda: 20,
}

/** Milliseconds from a command to the partner's reply. */
export const partnerReplyMs = 20
