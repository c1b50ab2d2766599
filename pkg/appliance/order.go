package appliance

// Order is what an appliance is to become, as a request names it: secrets, files and templates by
// reference.
type Order struct {
	// Driver is the name of the driver.
	Driver string
	// Instance, Address, Port, Pin, ServerName, Administrator and WasSet are those of an Access.
	Instance, Address string
	Port              int
	Pin, ServerName   string
	Administrator     string
	WasSet            bool
	// Region is the instance's.
	Region string
	// Secret refers to the password that the appliance is to have.
	Secret string
	// LicenseFile and LicenseToken refer to a licence; both are empty where none is wanted.
	LicenseFile, LicenseToken string
	// Templates are names of templates, in order.
	Templates []string
	// Values and Secrets are what templates may name beside the rest; Secrets are references.
	Values, Secrets map[string]string
	Tunnels         []Tunnel
	// ProbePort is where the appliance answers probes; 0 for nowhere.
	ProbePort int
	// Role is empty where none is wanted. SyncInterface and SyncSecret are what it takes.
	Role                      Role
	SyncInterface, SyncSecret string
}

// Configured reports whether the order is for a configuration.
func (o Order) Configured() bool {
	return len(o.Templates) > 0 || len(o.Tunnels) > 0 || o.ProbePort > 0
}

// Seen is what was read of an appliance, beside what an order comes to.
type Seen struct {
	State
	// Digest is that of the configuration that the order comes to; empty if it is for none.
	Digest string
}
