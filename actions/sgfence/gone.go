package sgfence

import (
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
)

// terminated is the state of an instance that is gone for good, and that EC2 shows for some time
// yet, with its tags.
const terminated = "terminated"

// vanished undoes the fence of an instance that was not found: its interfaces and tags went with
// it.
func (u *unfence) vanished(cause error) (*action.Plan, error) {
	if err := action.Vanished(u.req, cause, u.isOwn); err != nil {
		return nil, err
	}
	return action.NothingLeft(nil, u.instance+" does not exist any more"+u.survivors()), nil
}

// isOwn reports whether a recorded transition is of this instance, or of an interface that the
// facts name.
func (u *unfence) isOwn(own action.Recorded) bool {
	return own.Resource == u.instance || u.req.Parameters[factPrior+own.Resource] != ""
}

// survivors tells what the interfaces had that the fence changed: one that outlived its instance
// keeps the groups that the fence gave it.
func (u *unfence) survivors() string {
	had := u.first.backup.groups()
	maps.Copy(had, u.had())
	if len(had) == 0 {
		return ""
	}
	var all []string
	for _, nic := range slices.Sorted(maps.Keys(had)) {
		all = append(all, nic+" had "+had[nic])
	}
	return "; an interface that outlived it keeps the groups that the fence gave it (" +
		strings.Join(all, ", ") + " before)"
}

// terminated undoes the fence of a terminated instance, which has no interfaces any more. The
// fence's tags are removed while EC2 shows it.
func (u *unfence) terminated() (*action.Plan, error) {
	if err := action.TakesBack(u.req, u.isOwn); err != nil {
		return nil, err
	}
	if !u.tagless {
		u.tags = u.first.own
	}
	if len(u.tags) == 0 {
		p := action.NothingLeft(map[string]string{factState: u.first.State},
			u.instance+" is terminated"+u.survivors())
		p.Seen.Owner = u.first.OwnerID
		return p, nil
	}
	from := "the tags of the fence from " + u.instance + ", which is terminated" + u.survivors()
	p := u.planOf([]action.Transition{u.untag()})
	p.TargetGone = true
	p.Words = action.Words{Would: "remove " + from, Did: "removed " + from}
	return p, nil
}
