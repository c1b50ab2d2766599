package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aws-provider-executor/pkg/document"
	"aws-provider-executor/pkg/signature"
)

// maxBytes is the largest policy that is read.
const maxBytes = 1 << 20

// Load reads the policy in a file. Its errors name the file.
func Load(path string) (*Policy, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the policy: %w", err)
	}
	p, err := parse(data, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("the policy %s is refused:\n%w", path, err)
	}
	return p, nil
}

// LoadAll reads the policies in the files of a list like PATH, and makes one of them that allows
// what each allows. One that can't be read fails them all.
func LoadAll(list string) (*Policy, error) {
	var all *Policy
	for _, path := range filepath.SplitList(list) {
		p, err := Load(path)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = p
		} else {
			all = all.And(p)
		}
	}
	if all == nil {
		return nil, errors.New("cannot read the policy: no file is named")
	}
	return all, nil
}

// Parse reads a policy, in YAML or JSON. The error is a document.Faults with every fault and its
// line. A file that it names must have an absolute path.
func Parse(data []byte) (*Policy, error) { return parse(data, "") }

// parse reads a policy that lies in a directory.
func parse(data []byte, dir string) (*Policy, error) {
	if len(data) > maxBytes {
		return nil, document.Faults{{Reason: fmt.Sprintf("is larger than %d bytes", maxBytes)}}
	}
	doc, err := document.ParseOne(data)
	if err != nil {
		return nil, err
	}
	r := reader{dir: dir}
	// A null is refused: an empty variable of a template must not lift a restriction.
	r.FullFields(doc, "",
		document.Field{Name: "apiVersion", Required: true, Read: r.exactly(APIVersion)},
		document.Field{Name: "kind", Required: true, Read: r.exactly(Kind)},
		document.Field{Name: "metadata", Required: true, Read: r.metadata},
		document.Field{Name: "spec", Required: true, Read: r.spec},
	)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return &r.policy, nil
}

type reader struct {
	document.Faults
	policy Policy
	// dir is where the policy lies; empty where that is not known.
	dir string
}

type readFunc = func(n *document.Node, path string)

func (r *reader) exactly(want string) readFunc {
	return func(n *document.Node, path string) {
		if s := r.String(n, path); s != "" && s != want {
			r.Add(n.Line, path, "is %q, want %q", s, want)
		}
	}
}

func (r *reader) metadata(n *document.Node, path string) {
	anything := func(n *document.Node, path string) { r.Map(n, path) }
	r.FullFields(
		n,
		path,
		document.Field{
			Name:     "name",
			Required: true,
			Read:     func(n *document.Node, path string) { r.policy.Name = r.String(n, path) },
		},
		document.Field{Name: "labels", Read: anything},
		document.Field{Name: "annotations", Read: anything},
	)
}

func (r *reader) spec(n *document.Node, path string) {
	p := &r.policy
	dryRunOnly, requireApproval := true, true
	var revoked []string
	r.FullFields(n, path,
		document.Field{Name: "enabled", Read: r.bool(&p.Enabled)},
		document.Field{Name: "dryRunOnly", Read: r.bool(&dryRunOnly)},
		document.Field{Name: "requireApproval", Read: r.bool(&requireApproval)},
		document.Field{Name: "allowedProviders", Read: r.strings(&p.Providers, "none")},
		document.Field{Name: "allowedProviderRefs", Read: r.strings(&p.ProviderRefs, "any")},
		document.Field{Name: "allowedActions", Read: r.strings(&p.Actions, "none")},
		document.Field{Name: "allowedCIDRs", Read: r.cidrs},
		document.Field{Name: "maxActionsPerRun", Read: r.int(&p.MaxActions, 0)},
		document.Field{Name: "allowUndo", Read: r.bool(&p.AllowUndo)},
		document.Field{Name: "executionWindow", Read: r.windows},
		document.Field{Name: "allowedRegions", Read: r.strings(&p.Regions, "any")},
		document.Field{Name: "allowedTargets", Read: r.targets},
		document.Field{Name: "allowedDocuments", Read: r.patterns(&p.Documents)},
		document.Field{Name: "requiredTags", Read: r.tags(&p.RequiredTags)},
		document.Field{Name: "deniedTags", Read: r.tags(&p.DeniedTags)},
		document.Field{Name: "approvals", Read: r.int(&p.approvals, 1)},
		document.Field{Name: "approvalTTL", Read: r.duration(&p.ApprovalTTL)},
		document.Field{Name: "requireEvidence", Read: r.bool(&p.RequireEvidence)},
		document.Field{Name: "maxDecisionWait", Read: r.duration(&p.MaxDecisionWait)},
		document.Field{Name: "allowIrreversible", Read: r.maybe(&p.allowIrreversible)},
		document.Field{Name: "unattended", Read: r.readUnattended},
		document.Field{Name: "joinCalls", Read: r.maybe(&p.joinCalls)},
		document.Field{Name: "allowedPlugins", Read: r.digests},
		document.Field{Name: "approvers", Read: r.approvers},
		document.Field{Name: "revokedKeys", Read: r.strings(&revoked, "none")},
		document.Field{Name: "approverOtherThanImporter", Read: r.bool(&p.NotImporter)},
		document.Field{Name: "maxEvidenceAge", Read: r.duration(&p.MaxEvidenceAge)},
		document.Field{Name: "maxNodes", Read: r.int(&p.MaxNodes, 1)},
		document.Field{Name: "maxPercentPerRegion", Read: r.percent(&p.MaxPercentPerRegion)},
		document.Field{Name: "allowedAccounts", Read: r.strings(&p.Accounts, "any")},
	)
	p.dryRunAllowed, p.approvalWaived = !dryRunOnly, !requireApproval
	r.revoke(n, path, revoked)
	if p.approvalWaived && p.approvals > 0 {
		r.Add(
			n.Line,
			path,
			"approvals asks for %d, and requireApproval is false: take one of them out",
			p.approvals,
		)
	}
}

func (r *reader) bool(to *bool) readFunc {
	return func(n *document.Node, path string) { *to = r.Bool(n, path) }
}

func (r *reader) int(to *int, low int) readFunc {
	return func(n *document.Node, path string) { *to = r.Int(n, path, low) }
}

// percent reads a share of all, as a whole number.
func (r *reader) percent(to *int) readFunc {
	return func(n *document.Node, path string) {
		if *to = r.Int(n, path, 1); *to > 100 {
			r.Add(n.Line, path, "is %d, want a share of all from 1 to 100", *to)
		}
	}
}

// maybe reads a choice for which to say nothing is a third answer.
func (r *reader) maybe(to **bool) readFunc {
	return func(n *document.Node, path string) {
		said := r.Bool(n, path)
		*to = &said
	}
}

// filled refuses a list that is there and empty: readers differ on whether that allows everything
// or nothing. Absent is what is allowed without the list.
func (r *reader) filled(n *document.Node, path, absent string) {
	if n.Kind == document.List && len(n.Items) == 0 {
		r.Add(n.Line, path,
			"is an empty list: name what is allowed, or take the field out, which allows %s", absent)
	}
}

func (r *reader) strings(to *[]string, absent string) readFunc {
	return func(n *document.Node, path string) {
		r.filled(n, path, absent)
		*to = r.Strings(n, path)
	}
}

func (r *reader) duration(to *time.Duration) readFunc {
	return func(n *document.Node, path string) {
		s := r.String(n, path)
		if s == "" {
			return
		}
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			r.Add(n.Line, path, "is %q, want a time longer than none, as in 30m or 24h", s)
			return
		}
		*to = d
	}
}

func (r *reader) cidrs(n *document.Node, path string) {
	r.filled(n, path, "any")
	r.Each(n, path, func(n *document.Node, path string) {
		s := r.String(n, path)
		if s == "" {
			return
		}
		prefix, err := netip.ParsePrefix(s)
		switch {
		case err != nil:
			r.Add(n.Line, path, "is %q, want a network, as in 10.88.60.0/24", s)
		case prefix.Addr().Is4In6():
			r.Add(n.Line, path, "is %q: write the IPv4 network plainly", s)
		case prefix.Masked() != prefix:
			r.Add(
				n.Line,
				path,
				"is %q, which has bits set beyond its length: %s, or a /%d?",
				s,
				prefix.Masked(),
				prefix.Addr().BitLen(),
			)
		default:
			r.policy.CIDRs = append(r.policy.CIDRs, prefix)
		}
	})
}

// digestForm is how a digest is written.
const digestForm = "want the SHA-256 of a file, as in sha256: and 64 digits of 0-9a-f"

func (r *reader) digests(n *document.Node, path string) {
	r.filled(n, path, "any")
	r.Each(n, path, func(n *document.Node, path string) {
		s := r.String(n, path)
		hex, ok := strings.CutPrefix(s, "sha256:")
		if !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
			r.Add(n.Line, path, "is %q, %s", s, digestForm)
		}
		r.policy.Plugins = append(r.policy.Plugins, s)
	})
}

// approvers reads who may approve: the path of a file as ssh-keygen's allowed_signers, or its
// lines.
func (r *reader) approvers(n *document.Node, path string) {
	var text string
	switch file := ""; {
	case n.Kind == document.List:
		r.filled(n, path, "names that nobody vouches for")
		text = strings.Join(r.Strings(n, path), "\n")
	default:
		if file = r.String(n, path); file == "" {
			return
		}
		if !filepath.IsAbs(file) && r.dir == "" {
			r.Add(n.Line, path, "is %q: write an absolute path", file)
			return
		}
		if !filepath.IsAbs(file) {
			file = filepath.Join(r.dir, file)
		}
		data, err := readFile(file)
		if err != nil {
			r.Add(n.Line, path, "can't be read: %v", err)
			return
		}
		text = string(data)
	}
	signers, faults := signature.ParseSigners(text)
	for _, f := range faults {
		r.Add(n.Line, path, "%v", f)
	}
	r.policy.Approvers = signers
}

// readFile reads a small regular file.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > maxBytes:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxBytes)
	}
	return os.ReadFile(path)
}

// revoke takes keys out of the list of approvers, and refuses what is about approval where none is
// needed.
func (r *reader) revoke(n *document.Node, path string, revoked []string) {
	p := &r.policy
	for _, key := range revoked {
		if p.Approvers == nil {
			r.Add(n.Line, path, "revokedKeys goes with approvers: without it no key counts")
			return
		}
		if err := p.Approvers.Revoke(key); err != nil {
			r.Add(n.Line, path, "revokedKeys has %q: %v", key, err)
		}
	}
	if p.approvalWaived && (p.Approvers != nil || p.NotImporter) {
		r.Add(n.Line, path, "approvers and approverOtherThanImporter ask for approvals, and"+
			" requireApproval is false: take one of them out")
	}
	if p.unattended != nil && p.Approvers != nil {
		r.Add(n.Line, path, "approvers asks for signatures, which no lifecycle event brings: write"+
			" unattended in a policy of its own")
	}
	if p.MaxEvidenceAge > 0 && !p.RequireEvidence {
		r.Add(n.Line, path, "maxEvidenceAge goes with requireEvidence: true")
	}
}

func (r *reader) windows(n *document.Node, path string) {
	s := r.String(n, path)
	if s == "" {
		return
	}
	windows, err := parseWindows(s)
	if err != nil {
		r.Add(n.Line, path, "%v", err)
		return
	}
	r.policy.Windows = windows
}

func (r *reader) targets(n *document.Node, path string) {
	r.policy.Targets = Targets{}
	if n.Kind == document.Object && len(n.Entries) == 0 {
		r.Add(n.Line, path,
			"is empty: name what is allowed, or take the field out, which allows any")
	}
	fields := make([]document.Field, len(targetFields))
	for i, f := range targetFields {
		fields[i] = document.Field{Name: f.name, Read: func(n *document.Node, path string) {
			var allowed []Pattern
			r.patterns(&allowed)(n, path)
			r.policy.Targets[f.kind] = allowed
		}}
	}
	r.FullFields(n, path, fields...)
}

func (r *reader) patterns(to *[]Pattern) readFunc {
	return func(n *document.Node, path string) {
		r.filled(n, path, "none")
		r.Each(n, path, func(n *document.Node, path string) { r.pattern(n, path, to) })
	}
}

func (r *reader) pattern(n *document.Node, path string, to *[]Pattern) {
	s := r.String(n, path)
	if s == "" {
		return
	}
	p, err := parsePattern(s)
	if err != nil {
		r.Add(n.Line, path, "is %q, which %v", s, err)
		return
	}
	*to = append(*to, p)
}

// tags reads an object of keys, each with a pattern or a list of them.
func (r *reader) tags(to *[]Tag) readFunc {
	return func(n *document.Node, path string) {
		if n.Kind != document.Object {
			r.Add(
				n.Line,
				path,
				"is %s, want an object of tag keys with a pattern each, as in {env: lab}",
				n.Kind,
			)
			return
		}
		if len(n.Entries) == 0 {
			r.Add(n.Line, path, "is empty: name a tag, or take the field out")
		}
		for _, e := range n.Entries {
			at := path + "." + e.Key
			switch {
			case e.Key == "":
				r.Add(e.Line, path, "has an empty tag key")
			case strings.ContainsAny(e.Key, "*?") || strings.TrimSpace(e.Key) != e.Key:
				// One that is taken for a pattern and is none would deny nothing.
				r.Add(
					e.Line,
					path,
					"has the tag key %q: a key is no pattern, and has no blanks around it",
					e.Key,
				)
			}
			tag := Tag{Key: e.Key}
			switch {
			case e.Value.Kind == document.List && len(e.Value.Items) == 0:
				r.Add(e.Line, at, "has no pattern; * matches any value")
			case e.Value.Kind == document.List:
				r.patterns(&tag.Values)(e.Value, at)
			default:
				r.pattern(e.Value, at, &tag.Values)
			}
			*to = append(*to, tag)
		}
	}
}

// IsRefused tells a document that was read and refused from one that could not be read.
func IsRefused(err error) bool {
	var faults document.Faults
	return errors.As(err, &faults)
}
