package main

// sizes are how often and how large everything is measured.
type sizes struct {
	// rounds are for what takes milliseconds, few for what takes a second.
	rounds, few int
	// executions are how many approved actions are carried out, parallel so many at once.
	executions, parallel int
	// addresses are of one interface, in one stream.
	addresses []int
	// records are those of a ledger.
	records []int
	// actions are those of a journal, tail so many more after a head that was kept.
	actions []int
	tail    int
	// interfaces are those that are observed, fenced those of one instance.
	interfaces, fenced []int
	// networks are those of a policy.
	networks []int
	// scanned are instances in so many regions, kept the nodes in a store.
	scanned []int
	regions int
	kept    []int
}

var normal = sizes{
	rounds: 40, few: 3,
	executions: 1000, parallel: 16,
	addresses:  []int{1, 10, 50},
	records:    []int{0, 1000, 100_000},
	actions:    []int{10_000, 100_000},
	tail:       1000,
	interfaces: []int{2000, 10_000, 50_000},
	fenced:     []int{1, 5, 15},
	networks:   []int{1, 1000, 10_000},
	scanned:    []int{1000, 10_000}, regions: 15,
	kept: []int{10_000, 100_000},
}

var large = func() sizes {
	s := normal
	s.records = append(s.records[:3:3], 1_000_000)
	s.actions = append(s.actions[:2:2], 1_000_000)
	return s
}()

var tiny = sizes{
	rounds: 1, few: 1,
	executions: 6, parallel: 3,
	addresses:  []int{1, 3, 50},
	records:    []int{0, 8},
	actions:    []int{20, 40},
	tail:       5,
	interfaces: []int{50, 100},
	fenced:     []int{1, 3},
	networks:   []int{1, 20},
	scanned:    []int{30, 60}, regions: 2,
	kept: []int{30, 60},
}
