// Package ec2sim is a stand-in for Amazon EC2: stateful, in memory, over HTTP.
//
// It speaks the EC2 Query API, version 2016-11-15, so that the AWS CLI, boto3 and every AWS SDK can
// be pointed at it. Of STS it has AssumeRole and GetCallerIdentity, of IAM the reading of roles, of
// SQS queues, of SSM what runs commands and a parameter's value, of Secrets Manager a secret's
// value, at the same address. Whoever tests against it can rely on this:
//
//   - It answers with EC2's codes, texts and HTTP statuses, refuses what EC2 refuses (unknown
//     parameters and filters among it), and honours DryRun where EC2 has it. Only the operations
//     that Operations names exist; a parameter or a filter EC2 has and the stand-in does not hold
//     is refused aloud.
//   - A refused call changes nothing. A call that is carried out is carried out whole.
//   - It verifies signatures, and IAM policies when it is given some.
//   - It holds several accounts, each with regions of its own. Credentials of one see nothing of
//     another. A region may be one that the account has not opted into, or that a policy denies.
//   - Faults happen when they are asked for (Fault), at the call they are asked for, and never
//     else.
//   - State returns everything it holds as one comparable value, deeply copied, in a fixed order:
//     two equal values are two equal worlds.
//   - Nothing is global: two Sims share nothing, and Reset is the same as a new one.
//
// A world is built with Region, or loaded from a file (Load, World). The page at /_sim/ shows it to
// people, and tells the control paths.
//
// The package itself is the server and its control. Below it are the world and its rules, the API's
// operations, faults and the metadata service, each a package that knows only what is below it.
//
// New makes a Sim, which is an http.Handler; Start serves one on listeners of its own, with an
// instance metadata service beside it. The names of Lab's resources, the JSON of the control paths
// under /_sim/ and the fields of State stay compatible; what is rendered of a resource follows EC2.
package ec2sim
