package metrics

import "slices"

// Kind is the type of a family in Prometheus' terms.
type Kind string

// The kinds.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Family is one metric: a name, and the labels that tell its series apart.
type Family struct {
	// Name is the whole name, Help one sentence.
	Name, Help string
	Kind       Kind
	// Labels are the names of the labels, in order.
	Labels []string
	// Buckets are the upper bounds of a histogram, in seconds, rising.
	Buckets []float64
	// Whole reports whether a run that sets a series of a gauge takes the others away.
	Whole bool
	// Of names the programs that tell it.
	Of string
}

// secondsOfOperations fit what EC2's slowest change and a core's time-out leave room for.
var secondsOfOperations = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25, 60}

// secondsOfCalls fit one attempt at one call, on the same machine and across the world.
var secondsOfCalls = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// secondsOfStandIn fit calls that never leave the machine.
var secondsOfStandIn = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .1, 1, 10}

const everyProgram = "every program"

// The families.
var (
	operations = Family{Name: "provideraction_operation_duration_seconds", Kind: Histogram,
		Help: "How long operations took, from their start to their answer. The count is that of " +
			"operations.",
		Labels:  []string{"program", "verb", "mode", "status", "failure_class"},
		Buckets: secondsOfOperations, Of: everyProgram}
	lastOperation = Family{Name: "provideraction_last_operation_timestamp_seconds", Kind: Gauge,
		Help:   "When the last operation with this status ended, by this machine's clock.",
		Labels: []string{"program", "verb", "status"}, Of: everyProgram}
	failures = Family{Name: "provideraction_failures_total", Kind: Counter,
		Help: "Operations that failed, by their class. Every class is told, so that a first failure " +
			"is seen as one.",
		Labels: []string{"program", "failure_class"}, Of: everyProgram}
	drifts = Family{Name: "provideraction_drift_total", Kind: Counter,
		Help: "Operations that found a value that is neither what an action left nor what was before " +
			"it.",
		Labels: []string{"program", "verb", "mode"}, Of: "executor, actionctl, fence agent"}
	calls = Family{Name: "provideraction_api_call_duration_seconds", Kind: Histogram,
		Help: "How long attempts at calls to the provider took. The count is that of attempts. The " +
			"code is OK, the provider's own, NoAnswer, Unreadable, Timeout, or HTTP and a status.",
		Labels: []string{"program", "service", "operation", "code"}, Buckets: secondsOfCalls,
		Of: "every program that calls the provider"}
	retries = Family{Name: "provideraction_api_retries_total", Kind: Counter,
		Help:   "Attempts at calls to the provider after the first one.",
		Labels: []string{"program", "service", "operation"}, Of: calls.Of}
	throttles = Family{Name: "provideraction_api_throttles_total", Kind: Counter,
		Help:   "Attempts that the provider refused because there were too many.",
		Labels: []string{"program", "service", "operation"}, Of: calls.Of}
	faults = Family{Name: "provideraction_api_faults_total", Kind: Counter,
		Help: "Attempts that the provider did not answer as it should: it kept silent, failed, " +
			"or said what is no answer.",
		Labels: []string{"program", "service", "operation"}, Of: calls.Of}
	recordsCreated = Family{Name: "provideraction_ledger_records_created_total", Kind: Counter,
		Help:   "Records that were new in the ledger.",
		Labels: []string{"program"}, Of: "executor"}
	recordsRemoved = Family{Name: "provideraction_ledger_records_removed_total", Kind: Counter,
		Help:   "Records that were removed from the ledger, since no answer rests on them any more.",
		Labels: []string{"program"}, Of: "executor"}
	ledgerActions = Family{Name: "provideraction_ledger_actions", Kind: Gauge, Whole: true,
		Help: "Recorded actions by verb and state when the ledger was last read through. The live " +
			"fences are those in force.",
		Labels: []string{"program", "verb", "state"}, Of: "actionctl metrics"}
	ledgerBytes = Family{Name: "provideraction_ledger_bytes", Kind: Gauge, Whole: true,
		Help:   "Size of all records when the ledger was last read through.",
		Labels: []string{"program"}, Of: "actionctl metrics"}
	ledgerUnreadable = Family{Name: "provideraction_ledger_unreadable_records", Kind: Gauge,
		Whole:  true,
		Help:   "Records that are torn or foreign, when the ledger was last read through.",
		Labels: []string{"program"}, Of: "actionctl metrics"}
	oldestPending = Family{Name: "provideraction_ledger_oldest_pending_timestamp_seconds",
		Kind: Gauge, Whole: true,
		Help:   "When the oldest action was written whose outcome is not settled; 0 for none.",
		Labels: []string{"program"}, Of: "actionctl metrics"}
	journalActions = Family{Name: "provideraction_journal_actions", Kind: Gauge, Whole: true,
		Help:   "Actions in the gate's journal by state, when it was last read through.",
		Labels: []string{"program", "state"}, Of: "actionctl metrics"}
	stateRead = Family{Name: "provideraction_state_read_timestamp_seconds", Kind: Gauge,
		Help:   "When the ledger or the journal was last read through.",
		Labels: []string{"program", "of"}, Of: "actionctl metrics"}
	checks = Family{Name: "provideraction_preflight_checks", Kind: Gauge, Whole: true,
		Help:   "Checks of the last preflight by their verdicts.",
		Labels: []string{"program", "check", "verdict"}, Of: "actionctl preflight"}
	checksMade = Family{Name: "provideraction_preflight_timestamp_seconds", Kind: Gauge,
		Help:   "When the last preflight had made its checks.",
		Labels: []string{"program"}, Of: "actionctl preflight"}
	build = Family{Name: "provideraction_build_info", Kind: Gauge, Whole: true,
		Help:   "1, with the version of the program that ran last.",
		Labels: []string{"program", "version"}, Of: everyProgram}
	standInCalls = Family{Name: "ec2sim_call_duration_seconds", Kind: Histogram,
		Help: "How long the stand-in took for calls, delays of faults included. The code is OK, " +
			"EC2's, or NoAnswer.",
		Labels: []string{"operation", "code"}, Buckets: secondsOfStandIn, Of: "ec2sim"}
	standInFaults = Family{Name: "ec2sim_faults_total", Kind: Counter,
		Help:   "Faults that struck calls to the stand-in.",
		Labels: []string{"operation"}, Of: "ec2sim"}
)

// table has all families, in the order in which they are told.
var table = []*Family{
	&operations, &lastOperation, &failures, &drifts, &calls, &retries, &throttles, &faults,
	&recordsCreated, &recordsRemoved, &ledgerActions, &ledgerBytes, &ledgerUnreadable,
	&oldestPending, &journalActions, &stateRead, &checks, &checksMade, &build,
	&standInCalls, &standInFaults,
}

// Families lists every metric that any program tells, in the order in which they are written.
func Families() []Family {
	all := make([]Family, len(table))
	for i, f := range table {
		all[i] = *f
		all[i].Labels, all[i].Buckets = slices.Clone(f.Labels), slices.Clone(f.Buckets)
	}
	return all
}
