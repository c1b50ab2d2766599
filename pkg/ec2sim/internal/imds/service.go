// Package imds is the instance metadata service of one instance.
package imds

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/iam"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// Options says whose metadata service it is.
type Options struct {
	Region     string
	Instance   string
	Role       string         // name of the instance's role; without one there are no credentials
	Credential iam.Credential // of the role; without an expiry, it is said to expire in six hours
	TokensOnly bool           // requests without a session token are refused (IMDSv2 only)
}

// Fault is a way for the metadata service to fail.
type Fault string

const (
	OK      Fault = ""
	Refuse  Fault = "refuse"  // connections are refused
	Hang    Fault = "hang"    // requests are read and not answered
	Forbid  Fault = "forbid"  // status 403, as when the service is switched off
	Failure Fault = "failure" // status 500
	Busy    Fault = "busy"    // status 429, as to one who asks too often
	NoRole  Fault = "norole"  // the instance has no role
)

// metadataSource is what the service reads when it is asked.
type metadataSource interface {
	// Now is the time.
	Now() time.Time
	// Read has read look at a region, which does not change meanwhile.
	Read(region string, read func(*world.World))
}

// Service is the instance metadata service of one instance.
type Service struct {
	source  metadataSource
	options Options

	mu       sync.Mutex
	fault    Fault
	tokens   map[string]time.Time // and when they expire
	released chan struct{}        // closed when hanging requests are to end
	listen   func(bool) error     // opens and closes the port; set by a Server
}

// New returns a metadata service for an instance.
func New(source metadataSource, o Options) *Service {
	return &Service{
		source: source, options: o, tokens: map[string]time.Time{}, released: make(chan struct{}),
	}
}

// SetFault makes the service fail, until it is set to MetadataOK. Refusing connections is only
// possible for one that a Server serves.
func (m *Service) SetFault(f Fault) error {
	switch f {
	case OK, Refuse, Hang, Forbid, Failure, Busy, NoRole:
	default:
		return fmt.Errorf("cannot set the metadata fault %q: there is no such fault", f)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listen == nil && f == Refuse {
		return fmt.Errorf("cannot refuse connections: no server serves this metadata service")
	}
	if m.listen != nil {
		if err := m.listen(f != Refuse); err != nil {
			return err
		}
	}
	close(m.released)
	m.released = make(chan struct{})
	m.fault = f
	return nil
}

// ServeHTTP answers as the metadata service does, or as its fault has it.
func (m *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	fault, released := m.fault, m.released
	m.mu.Unlock()
	switch fault {
	case Hang:
		select {
		case <-r.Context().Done():
		case <-released:
		}
		panic(http.ErrAbortHandler)
	case Forbid:
		refuse(w, http.StatusForbidden)
		return
	case Busy:
		refuse(w, http.StatusTooManyRequests)
		return
	case Failure, Refuse:
		refuse(w, http.StatusInternalServerError)
		return
	}
	if r.URL.Path == "/latest/api/token" {
		m.giveToken(w, r)
		return
	}
	if r.Method != http.MethodGet {
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	if !m.admits(r.Header.Get("X-Aws-Ec2-Metadata-Token")) {
		refuse(w, http.StatusUnauthorized)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/latest/")
	text, ok := m.read(path)
	if !ok || fault == NoRole && strings.HasPrefix(path, "meta-data/iam/") {
		refuse(w, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write([]byte(text))
}

func refuse(w http.ResponseWriter, status int) {
	http.Error(w, strconv.Itoa(status)+" - "+http.StatusText(status), status)
}

// maxTokenSeconds is the longest a token may be good for.
const maxTokenSeconds = 21600

func (m *Service) giveToken(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"))
	switch {
	case r.Method != http.MethodPut:
		refuse(w, http.StatusMethodNotAllowed)
	case r.Header.Get("X-Forwarded-For") != "":
		refuse(w, http.StatusForbidden)
	case err != nil || seconds < 1 || seconds > maxTokenSeconds:
		refuse(w, http.StatusBadRequest)
	default:
		token := rand.Text()
		m.mu.Lock()
		m.tokens[token] = m.source.Now().Add(time.Duration(seconds) * time.Second)
		m.mu.Unlock()
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", strconv.Itoa(seconds))
		_, _ = w.Write([]byte(token))
	}
}

func (m *Service) admits(token string) bool {
	if token == "" {
		return !m.options.TokensOnly
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	expires, ok := m.tokens[token]
	return ok && m.source.Now().Before(expires)
}

// read returns the value at a path, or the names below it.
func (m *Service) read(path string) (string, bool) {
	values := m.values()
	path = strings.TrimSuffix(path, "/")
	if v, ok := values[path]; ok {
		return v, true
	}
	var names []string
	for key := range values {
		rest, ok := strings.CutPrefix(key, path+"/")
		if !ok {
			continue
		}
		if name, _, deeper := strings.Cut(rest, "/"); deeper {
			rest = name + "/"
		}
		names = append(names, rest)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "\n"), len(names) > 0
}

// values returns everything there is to read, by path. It is empty when the instance does not
// exist.
func (m *Service) values() (values map[string]string) {
	m.source.Read(m.options.Region, func(w *world.World) { values = m.valuesIn(w) })
	return values
}

func (m *Service) valuesIn(w *world.World) map[string]string {
	i := w.Instances[m.options.Instance]
	if i == nil {
		return nil
	}
	const meta = "meta-data/"
	values := map[string]string{
		meta + "ami-id": i.ImageID, meta + "instance-id": i.ID, meta + "instance-type": i.Type,
		meta + "placement/availability-zone":    i.AvailabilityZone,
		meta + "placement/availability-zone-id": world.ZoneID(i.AvailabilityZone),
		meta + "placement/region":               w.Region,
		meta + "services/domain":                "amazonaws.com",
		meta + "reservation-id":                 i.ReservationID,
	}
	for _, eni := range w.Attached(i.ID) {
		if eni.Attachment.DeviceIndex == 0 {
			values[meta+"mac"], values[meta+"local-hostname"] = eni.MAC, w.Hostname(i, eni)
			if eni.Primary() != "" {
				values[meta+"local-ipv4"] = eni.Primary()
			}
			if len(eni.IPv6Addresses) > 0 {
				values[meta+"ipv6"] = eni.IPv6Addresses[0]
			}
			values["dynamic/instance-identity/document"] = m.document(w, i, eni.Primary())
		}
		for name, value := range interfaceValues(w, eni) {
			values[meta+"network/interfaces/macs/"+eni.MAC+"/"+name] = value
		}
	}
	if m.options.Role != "" {
		values[meta+"iam/security-credentials/"+m.options.Role] = m.credentials()
		values[meta+"iam/info"] = encodeJSON(map[string]string{
			"Code": "Success", "LastUpdated": timeText(m.source.Now()), "InstanceProfileArn": i.Profile,
		})
	}
	return values
}

func interfaceValues(w *world.World, eni *world.Interface) map[string]string {
	values := map[string]string{
		"device-number": strconv.Itoa(eni.Attachment.DeviceIndex), "interface-id": eni.ID, "mac": eni.MAC,
		"subnet-id": eni.SubnetID, "vpc-id": eni.VPCID,
		"owner-id": w.OwnerOf(eni.ID), "security-group-ids": strings.Join(eni.Groups, "\n"),
		"vpc-ipv4-cidr-block": w.VPCs[eni.VPCID].CIDR,
	}
	subnet, v := w.Subnets[eni.SubnetID], w.VPCs[eni.VPCID]
	for name, value := range map[string]string{
		"local-ipv4s":             strings.Join(world.AddressesOf(eni), "\n"),
		"ipv6s":                   strings.Join(eni.IPv6Addresses, "\n"),
		"subnet-ipv4-cidr-block":  subnet.CIDR,
		"subnet-ipv6-cidr-blocks": subnet.IPv6CIDR,
		"vpc-ipv6-cidr-blocks":    strings.Join(world.OfFamily(v.CIDRs(), true), "\n"),
	} {
		if value != "" {
			values[name] = value
		}
	}
	return values
}

func (m *Service) document(w *world.World, i *world.Instance, address string) string {
	facts := map[string]string{
		"accountId": w.Owner, "architecture": "x86_64", "availabilityZone": i.AvailabilityZone,
		"imageId":    i.ImageID,
		"instanceId": i.ID, "instanceType": i.Type, "pendingTime": timeText(i.LaunchTime),
		"region": w.Region, "version": "2017-09-30",
	}
	if address != "" {
		facts["privateIp"] = address
	}
	return encodeJSON(facts)
}

func (m *Service) credentials() string {
	k := m.options.Credential
	now := m.source.Now()
	if k.Expires.IsZero() {
		k.Expires = now.Add(6 * time.Hour)
	}
	return encodeJSON(map[string]string{
		"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": timeText(now),
		"Expiration":  timeText(k.Expires),
		"AccessKeyId": k.AccessKeyID, "SecretAccessKey": k.SecretAccessKey, "Token": k.SessionToken,
	})
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func encodeJSON(v any) string {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("ec2sim: cannot encode metadata: " + err.Error())
	}
	return string(data)
}
