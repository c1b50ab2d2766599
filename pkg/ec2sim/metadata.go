package ec2sim

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
)

// MetadataOptions says whose metadata service it is.
type MetadataOptions struct {
	Region     string
	Instance   string
	Role       string     // name of the instance's role; without one there are no credentials
	Credential Credential // of the role; without an expiry, it is said to expire in six hours
	TokensOnly bool       // requests without a session token are refused (IMDSv2 only)
}

// MetadataFault is a way for the metadata service to fail.
type MetadataFault string

const (
	MetadataOK      MetadataFault = ""
	MetadataRefuse  MetadataFault = "refuse"  // connections are refused
	MetadataHang    MetadataFault = "hang"    // requests are read and not answered
	MetadataForbid  MetadataFault = "forbid"  // status 403, as when the service is switched off
	MetadataFailure MetadataFault = "failure" // status 500
	MetadataBusy    MetadataFault = "busy"    // status 429, as to one who asks too often
	MetadataNoRole  MetadataFault = "norole"  // the instance has no role
)

// metadataSource is what the service reads when it is asked.
type metadataSource interface {
	// Now is the time.
	Now() time.Time
	// Read has read look at a region, which does not change meanwhile.
	Read(region string, read func(*world))
}

// Metadata is the instance metadata service of one instance.
type Metadata struct {
	source  metadataSource
	options MetadataOptions

	mu       sync.Mutex
	fault    MetadataFault
	tokens   map[string]time.Time // and when they expire
	released chan struct{}        // closed when hanging requests are to end
	listen   func(bool) error     // opens and closes the port; set by a Server
}

// newMetadata returns a metadata service for an instance.
func newMetadata(source metadataSource, o MetadataOptions) *Metadata {
	return &Metadata{
		source: source, options: o, tokens: map[string]time.Time{}, released: make(chan struct{}),
	}
}

// SetFault makes the service fail, until it is set to MetadataOK. Refusing connections is only possible
// for one that a Server serves.
func (m *Metadata) SetFault(f MetadataFault) error {
	switch f {
	case MetadataOK, MetadataRefuse, MetadataHang, MetadataForbid, MetadataFailure, MetadataBusy, MetadataNoRole:
	default:
		return fmt.Errorf("cannot set the metadata fault %q: there is no such fault", f)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listen == nil && f == MetadataRefuse {
		return fmt.Errorf("cannot refuse connections: no server serves this metadata service")
	}
	if m.listen != nil {
		if err := m.listen(f != MetadataRefuse); err != nil {
			return err
		}
	}
	close(m.released)
	m.released = make(chan struct{})
	m.fault = f
	return nil
}

func (m *Metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	fault, released := m.fault, m.released
	m.mu.Unlock()
	switch fault {
	case MetadataHang:
		select {
		case <-r.Context().Done():
		case <-released:
		}
		panic(http.ErrAbortHandler)
	case MetadataForbid:
		metadataError(w, http.StatusForbidden)
		return
	case MetadataBusy:
		metadataError(w, http.StatusTooManyRequests)
		return
	case MetadataFailure, MetadataRefuse:
		metadataError(w, http.StatusInternalServerError)
		return
	}
	if r.URL.Path == "/latest/api/token" {
		m.giveToken(w, r)
		return
	}
	if r.Method != http.MethodGet {
		metadataError(w, http.StatusMethodNotAllowed)
		return
	}
	if !m.admits(r.Header.Get("X-Aws-Ec2-Metadata-Token")) {
		metadataError(w, http.StatusUnauthorized)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/latest/")
	text, ok := m.read(path)
	if !ok || fault == MetadataNoRole && strings.HasPrefix(path, "meta-data/iam/") {
		metadataError(w, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write([]byte(text))
}

func metadataError(w http.ResponseWriter, status int) {
	http.Error(w, strconv.Itoa(status)+" - "+http.StatusText(status), status)
}

// maxTokenSeconds is the longest a token may be good for.
const maxTokenSeconds = 21600

func (m *Metadata) giveToken(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"))
	switch {
	case r.Method != http.MethodPut:
		metadataError(w, http.StatusMethodNotAllowed)
	case r.Header.Get("X-Forwarded-For") != "":
		metadataError(w, http.StatusForbidden)
	case err != nil || seconds < 1 || seconds > maxTokenSeconds:
		metadataError(w, http.StatusBadRequest)
	default:
		token := rand.Text()
		m.mu.Lock()
		m.tokens[token] = m.source.Now().Add(time.Duration(seconds) * time.Second)
		m.mu.Unlock()
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", strconv.Itoa(seconds))
		_, _ = w.Write([]byte(token))
	}
}

func (m *Metadata) admits(token string) bool {
	if token == "" {
		return !m.options.TokensOnly
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	expires, ok := m.tokens[token]
	return ok && m.source.Now().Before(expires)
}

// read returns the value at a path, or the names below it.
func (m *Metadata) read(path string) (string, bool) {
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

// values returns everything there is to read, by path. It is empty when the instance does not exist.
func (m *Metadata) values() (values map[string]string) {
	m.source.Read(m.options.Region, func(w *world) { values = m.valuesIn(w) })
	return values
}

func (m *Metadata) valuesIn(w *world) map[string]string {
	i := w.instances[m.options.Instance]
	if i == nil {
		return nil
	}
	const meta = "meta-data/"
	values := map[string]string{
		meta + "ami-id": i.ImageID, meta + "instance-id": i.ID, meta + "instance-type": i.Type,
		meta + "placement/availability-zone":    i.AvailabilityZone,
		meta + "placement/availability-zone-id": zoneID(i.AvailabilityZone),
		meta + "placement/region":               w.region,
		meta + "services/domain":                "amazonaws.com",
		meta + "reservation-id":                 i.ReservationID,
	}
	for _, eni := range w.attached(i.ID) {
		if eni.Attachment.DeviceIndex == 0 {
			values[meta+"mac"], values[meta+"local-hostname"] = eni.MAC, w.hostname(i, eni)
			if eni.primary() != "" {
				values[meta+"local-ipv4"] = eni.primary()
			}
			if len(eni.IPv6Addresses) > 0 {
				values[meta+"ipv6"] = eni.IPv6Addresses[0]
			}
			values["dynamic/instance-identity/document"] = m.document(w, i, eni.primary())
		}
		for name, value := range interfaceValues(w, eni) {
			values[meta+"network/interfaces/macs/"+eni.MAC+"/"+name] = value
		}
	}
	if m.options.Role != "" {
		values[meta+"iam/security-credentials/"+m.options.Role] = m.credentials()
		values[meta+"iam/info"] = encodeJSON(map[string]string{
			"Code": "Success", "LastUpdated": metadataTime(m.source.Now()), "InstanceProfileArn": i.Profile,
		})
	}
	return values
}

func interfaceValues(w *world, eni *Interface) map[string]string {
	values := map[string]string{
		"device-number": strconv.Itoa(eni.Attachment.DeviceIndex), "interface-id": eni.ID, "mac": eni.MAC,
		"subnet-id": eni.SubnetID, "vpc-id": eni.VPCID,
		"owner-id": w.ownerOf(eni.ID), "security-group-ids": strings.Join(eni.Groups, "\n"),
		"vpc-ipv4-cidr-block": w.vpcs[eni.VPCID].CIDR,
	}
	subnet, v := w.subnets[eni.SubnetID], w.vpcs[eni.VPCID]
	for name, value := range map[string]string{
		"local-ipv4s":             strings.Join(addressesOf(eni), "\n"),
		"ipv6s":                   strings.Join(eni.IPv6Addresses, "\n"),
		"subnet-ipv4-cidr-block":  subnet.CIDR,
		"subnet-ipv6-cidr-blocks": subnet.IPv6CIDR,
		"vpc-ipv6-cidr-blocks":    strings.Join(ofFamily(v.cidrs(), true), "\n"),
	} {
		if value != "" {
			values[name] = value
		}
	}
	return values
}

func (m *Metadata) document(w *world, i *Instance, address string) string {
	facts := map[string]string{
		"accountId": w.owner, "architecture": "x86_64", "availabilityZone": i.AvailabilityZone, "imageId": i.ImageID,
		"instanceId": i.ID, "instanceType": i.Type, "pendingTime": metadataTime(i.LaunchTime),
		"region": w.region, "version": "2017-09-30",
	}
	if address != "" {
		facts["privateIp"] = address
	}
	return encodeJSON(facts)
}

func (m *Metadata) credentials() string {
	k := m.options.Credential
	now := m.source.Now()
	if k.Expires.IsZero() {
		k.Expires = now.Add(6 * time.Hour)
	}
	return encodeJSON(map[string]string{
		"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": metadataTime(now), "Expiration": metadataTime(k.Expires),
		"AccessKeyId": k.AccessKeyID, "SecretAccessKey": k.SecretAccessKey, "Token": k.SessionToken,
	})
}

func metadataTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func encodeJSON(v any) string {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("ec2sim: cannot encode metadata: " + err.Error())
	}
	return string(data)
}
