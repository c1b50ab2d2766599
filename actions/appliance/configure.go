package appliance

import (
	"context"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	device "aws-provider-executor/pkg/appliance"
	"aws-provider-executor/pkg/protocol"
)

// setup is one request to set up an appliance.
type setup struct {
	r     Reader
	order device.Order
	// digest is that of the configuration that is asked for.
	digest string
	// attributes are those that the request is about, in the order in which they are set.
	attributes []string
}

func planConfigure(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	s := &setup{r: r, order: orderOf(req), attributes: []string{attrPassword}}
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.order.LicenseFile != "" || s.order.LicenseToken != "" {
		s.attributes = append(s.attributes, attrLicense)
	}
	if s.order.Configured() {
		s.attributes = append(s.attributes, attrConfiguration)
	}
	if s.order.Role.Kind != "" {
		s.attributes = append(s.attributes, attrRole)
	}
	s.order.WasSet = wasSet(req, s.order.Instance)
	seen, err := r.AwaitAppliance(ctx, s.order)
	if err != nil {
		return nil, err
	}
	s.digest = seen.Digest
	if err := s.mayHaveRole(seen); err != nil {
		return nil, err
	}
	err = r.ReadApplianceSecrets(ctx, s.order, s.value(attrLicense, seen) != valid,
		s.value(attrRole, seen) != s.order.Role.String())
	if err != nil {
		return nil, err
	}
	prior, err := s.prior(req, seen)
	if err != nil {
		return nil, err
	}
	p := &action.Plan{
		Seen: s.seen(seen),
		Read: func(ctx context.Context) (action.Seen, error) {
			again, err := r.LookAtAppliance(ctx, s.order)
			return s.seen(again), err
		},
		Facts: func(all []action.Transition, seen action.Seen) map[string]string {
			facts := action.Merge(seen.Facts)
			if i := slices.Index(s.attributes, attrRole); i >= 0 {
				facts[factPrior], facts[factRole] = all[i].From, seen.Values[i]
			}
			return action.Merge(facts, prior)
		},
		Dangers: s.dangers, Words: s.words(),
	}
	for i, attribute := range s.attributes {
		t := s.transition(i, attribute, p.Seen.Values[i])
		if own, is := req.Own(t.Resource, t.Attribute); t.From == unread || is && own.From == unread {
			// Nothing leads back to what nobody read.
			t.Lasting = true
		}
		p.Transitions = append(p.Transitions, t)
	}
	return p, nil
}

// check refuses what does not go together, all of it at once.
func (s *setup) check() error {
	o := s.order
	var wrong []string
	refuse := func(is bool, why string) {
		if is {
			wrong = append(wrong, why)
		}
	}
	secondary := o.Role.Kind == device.Secondary
	refuse(o.LicenseFile != "" && o.LicenseToken != "",
		paramLicenseFile+" and "+paramLicenseToken+" are both given; give one")
	refuse(secondary && o.Role.Primary == "", "a secondary needs "+paramPrimary)
	refuse(!secondary && o.Role.Primary != "", paramPrimary+" is for a secondary alone")
	refuse(o.Role.Kind == "" && (o.SyncInterface != "" || o.SyncSecret != ""),
		paramSyncInterface+" and "+paramSyncSecret+" are for a role; give "+paramRole)
	refuse(len(o.Values)+len(o.Secrets) > 0 && len(o.Templates) == 0,
		"values and secrets are given for templates, and there are none; give "+paramTemplates)
	for _, ref := range append(slices.Sorted(maps.Values(o.Secrets)),
		o.Secret, o.SyncSecret, o.LicenseFile, o.LicenseToken) {
		refuse(slices.Contains(strings.Split(ref, "/"), ".."),
			"a reference goes up by .., past what a policy may say of it; give the path itself")
	}
	if len(wrong) == 0 {
		return nil
	}
	return protocol.Refuse(protocol.InvalidRequest, "%s; nothing was changed",
		strings.Join(wrong, "; "))
}

// mayHaveRole refuses a first role without what it takes.
func (s *setup) mayHaveRole(seen device.Seen) error {
	if !seen.FirstPassword && !seen.RolePartly && seen.Role == s.order.Role &&
		s.syncsElsewhere(seen) {
		return protocol.Refuse(protocol.Conflict,
			"the appliance in %s has the role %s already, and synchronises by %s, not by %s; nothing was "+
				"changed; give that interface, or set the other one by hand", s.order.Instance,
			seen.Role, protocol.Quote(seen.SyncInterface), s.order.SyncInterface)
	}
	has := !seen.FirstPassword && seen.Role.Kind != device.NoRole && !seen.RolePartly
	if s.order.Role.Kind == "" || has || s.order.SyncInterface != "" && s.order.SyncSecret != "" {
		return nil
	}
	return protocol.Refuse(protocol.InvalidRequest,
		"the appliance in %s has no role yet, and the first one needs %s and %s; nothing was changed",
		s.order.Instance, paramSyncInterface, paramSyncSecret)
}

// prior is the prior role that an earlier attempt under the key told.
func (s *setup) prior(req action.Request, seen device.Seen) (map[string]string, error) {
	if s.order.Role.Kind == "" {
		return nil, nil
	}
	o, err := req.Origin(roleAt(s.order.Instance, s.value(attrRole, seen)))
	if err != nil || o.Facts[factPrior] == "" {
		return nil, err
	}
	return map[string]string{factPrior: o.Facts[factPrior]}, nil
}

// seen are the values of the attributes.
func (s *setup) seen(now device.Seen) action.Seen {
	seen := action.Seen{Facts: told(s.order, now)}
	for _, attribute := range s.attributes {
		seen.Values = append(seen.Values, s.value(attribute, now))
	}
	return seen
}

func (s *setup) value(attribute string, now device.Seen) string {
	switch {
	case attribute == attrPassword && now.FirstPassword:
		return first
	case attribute == attrPassword:
		return set
	case now.FirstPassword:
		return unread
	case attribute == attrLicense && now.Licensed:
		return valid
	case attribute == attrLicense:
		return none
	case attribute == attrConfiguration:
		return s.configuration(now)
	}
	role := roleValue(now)
	if role == s.order.Role.String() && s.syncsElsewhere(now) {
		return partly + role
	}
	return role
}

// syncsElsewhere reports whether the appliance tells another interface to synchronise by than the
// one that is asked for.
func (s *setup) syncsElsewhere(now device.Seen) bool {
	return s.order.SyncInterface != "" && now.SyncInterface != "" &&
		now.SyncInterface != s.order.SyncInterface
}

// configuration is the value of the configuration. One that ran whole is in force if the tunnels
// show that are asked for.
func (s *setup) configuration(now device.Seen) string {
	last, ok := now.Latest()
	switch {
	case !ok:
		return none
	case !last.Whole:
		return partly + last.Digest
	case last.Digest == s.digest && !s.shows(now):
		return partly + last.Digest
	}
	return applied + last.Digest
}

// shows reports whether the appliance has the tunnels that are asked for.
func (s *setup) shows(now device.Seen) bool {
	return !slices.ContainsFunc(s.order.Tunnels, func(t device.Tunnel) bool {
		return !slices.Contains(now.Tunnels, t)
	})
}

// transition leads one attribute to what is asked for. Each has a stage of its own: what comes
// before it has to be so.
func (s *setup) transition(stage int, attribute, now string) action.Transition {
	t := action.Transition{
		Resource: s.order.Instance, Attribute: attribute, From: now, Stage: stage,
		// Nothing takes it back.
		Lasting: true,
	}
	once := func(change func(context.Context, Writer) error) action.SetFunc {
		return action.SetWith(func(ctx context.Context, w Writer, from, to string) error {
			if to != t.To {
				return protocol.Refuse(protocol.Internal, "the %s can't be taken back", attribute)
			}
			if so, err := s.isSo(ctx, attribute, from, to); so || err != nil {
				return err
			}
			return change(ctx, w)
		})
	}
	switch attribute {
	case attrPassword:
		t.To, t.Call = set, callPassword
		t.Set = once(func(ctx context.Context, w Writer) error {
			return w.SetAppliancePassword(ctx, s.order)
		})
	case attrLicense:
		t.To, t.Call = valid, callLicense
		t.Set = once(func(ctx context.Context, w Writer) error {
			return w.UploadApplianceLicense(ctx, s.order)
		})
	case attrConfiguration:
		t.To, t.Call = applied+s.digest, callConfigure
		t.Set = once(func(ctx context.Context, w Writer) error {
			return w.ConfigureAppliance(ctx, s.order)
		})
	default:
		t.To, t.Call, t.Lasting, t.Set = s.order.Role.String(), callRole, false, s.setRole()
		// It shows so, too, where lines of it were refused.
		t.Via, t.Passes = partly+t.To, true
	}
	return t
}

// isSo reports whether what was unread is as it is to be already.
func (s *setup) isSo(ctx context.Context, attribute, from, to string) (bool, error) {
	if from != unread {
		return false, nil
	}
	now, err := s.r.LookAtAppliance(ctx, s.order)
	return err == nil && s.value(attribute, now) == to, err
}

// setRole gives the role that is asked for, or the one before.
func (s *setup) setRole() action.SetFunc {
	give := setRole(s.order)
	return func(ctx context.Context, writer any, from, to string) error {
		if so, err := s.isSo(ctx, attrRole, from, to); so || err != nil {
			return err
		}
		return give(ctx, writer, from, to)
	}
}

// dangers say what nothing takes back.
func (s *setup) dangers(all []action.Transition, _ action.Seen) []string {
	names := map[string]string{attrPassword: "password", attrLicense: "licence",
		attrConfiguration: "configuration"}
	var lasting []string
	for _, t := range all {
		if name := names[t.Attribute]; name != "" && t.From != t.To {
			lasting = append(lasting, name)
		}
	}
	if len(lasting) == 0 {
		return nil
	}
	return []string{"nothing takes back its " + strings.Join(lasting, ", its ")}
}

func (s *setup) words() action.Words {
	what := []string{"its password"}
	for _, attribute := range s.attributes[1:] {
		switch attribute {
		case attrLicense:
			what = append(what, "its licence")
		case attrConfiguration:
			what = append(what, "its configuration "+s.digest[:min(len(s.digest), 12)])
		default:
			what = append(what, "the role "+s.order.Role.String())
		}
	}
	all := "the appliance in " + s.order.Instance + ": " + strings.Join(what, ", ")
	return action.Words{Would: "set up " + all, Did: "set up " + all,
		Already: "the appliance in " + s.order.Instance + " has what is asked for: " +
			strings.Join(what, ", ")}
}
