//! What a test function may take as a parameter.

use std::fmt;

use crate::context::TestContext;
use crate::error::Result;
use crate::world::{Net, ParameterSpec};

/// A type that a test can ask for by naming it as the type of a parameter.
///
/// A fixture is made in two phases, because what the world looks like is known
/// only when every parameter has said what it needs: first each parameter's
/// [`plan`](Fixture::plan) runs, in order; then the world is built; then each
/// parameter's [`setup`](Fixture::setup) runs, in order.
///
/// ```
/// use nstest_core::{Fixture, Param, Result, Spec, World};
///
/// /// The name of the parameter that asked for it.
/// struct OwnName(String);
///
/// impl Fixture for OwnName {
///     type Plan = String;
///
///     fn plan(_: &mut Spec, param: Param<'_>) -> Result<String> {
///         Ok(param.name().to_owned())
///     }
///
///     fn setup(plan: String, _: &World) -> Result<Self> {
///         Ok(OwnName(plan))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a `#[netns_test]`",
    label = "not a fixture",
    note = "parameters are made by nstest: use one of its fixtures (`TestContext`), \
            or implement `nstest::Fixture` for this type"
)]
pub trait Fixture: Sized {
    /// What the first phase hands to the second.
    type Plan;

    /// Says what the fixture needs of the world. Pure: nothing exists yet.
    ///
    /// # Errors
    /// What cannot be had, with the object's name; the test fails before it starts.
    fn plan(spec: &mut Spec, param: Param<'_>) -> Result<Self::Plan>;

    /// Makes the fixture, in the world that was built.
    ///
    /// # Errors
    /// The test fails before its body starts.
    fn setup(plan: Self::Plan, world: &World) -> Result<Self>;
}

/// The parameter that a fixture is made for.
#[derive(Debug, Clone, Copy)]
pub struct Param<'a> {
    name: &'a str,
}

impl<'a> Param<'a> {
    /// A parameter of this name: for fixtures that are made of others.
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        Self { name }
    }

    /// The name of the parameter as written, without `r#`, `mut` and `ref`; for
    /// a pattern that binds no name or several, `arg` and its position from 1.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }
}

/// What the parameters of a test ask for, collected before anything is built.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    pub(crate) parameters: ParameterSpec,
}

/// What was built for a test.
pub struct World {
    context: TestContext,
    net: Net,
}

impl World {
    /// Builds what the parameters ask for.
    pub(crate) fn build(spec: &Spec, context: TestContext) -> Result<Self> {
        let mut parameters = spec.parameters.0.clone();
        let has_ipv6 = crate::fabric::has_ipv6();
        parameters.without_ipv6 |= !has_ipv6;
        let net = Net::build(crate::topology::spec::Spec::of_parameters(&parameters)?)?;
        if !has_ipv6 && !spec.parameters.0.without_ipv6 {
            net.note("the machine has no IPv6 (it may have been started with ipv6.disable=1): nor have the nodes");
        }
        Ok(Self { context, net })
    }

    /// The test's network.
    #[must_use]
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The test's own circumstances.
    #[must_use]
    pub fn context(&self) -> &TestContext {
        &self.context
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl Fixture for TestContext {
    type Plan = ();

    fn plan(_: &mut Spec, _: Param<'_>) -> Result<()> {
        Ok(())
    }

    fn setup((): (), world: &World) -> Result<Self> {
        Ok(world.context.clone())
    }
}
