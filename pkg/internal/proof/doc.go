// Package proof holds the promises of the executor against everything that can go wrong. It is
// tests only.
//
// The kills, faults, signals and properties run the real binary against pkg/ec2sim over HTTP,
// and compare the whole world before and after. PROOF_SEED repeats a run of random worlds.
// PROOF_SOAK makes TestSoak run for a time, and the kills and faults be tried in every case. The
// rules of a history are explored whole by the model in pkg/history.
package proof
