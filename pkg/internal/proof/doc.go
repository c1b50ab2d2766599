// Package proof holds the promises of the executor against everything that can go wrong. It is
// tests only.
//
// The model explores the rules of the ledger and of a run, as a small state machine, whole. The
// kills, faults, signals and properties run the real binary against pkg/ec2sim over HTTP, and
// compare the whole world before and after. PROOF_SEED repeats a run of the properties; PROOF_SOAK
// makes TestSoak run for a time.
package proof
