//! The quantile function of the normal distribution, with the same result on every machine.
//!
//! `f64::ln` comes from the libm of the platform, and can differ in the last bit. So this
//! module uses only the four operations and the square root, which IEEE 754 defines exactly.

/// Acklam's rational approximation of the inverse of the normal distribution
/// function (P. J. Acklam, "An algorithm for computing the inverse normal
/// cumulative distribution function", 2003), with a relative error below 1.15e-9.
/// `p` lies strictly between 0 and 1.
pub(super) fn quantile(p: f64) -> f64 {
    const TAIL: f64 = 0.02425;
    if p < TAIL {
        return tail((-2.0 * ln(p)).sqrt());
    }
    if p > 1.0 - TAIL {
        return -tail((-2.0 * ln(1.0 - p)).sqrt());
    }
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    let q = p - 0.5;
    let r = q * q;
    q * horner(&A, r) / horner(&B, r)
}

fn tail(q: f64) -> f64 {
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] =
        [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0];
    horner(&C, q) / horner(&D, q)
}

/// The coefficient of the highest power comes first.
fn horner(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// The natural logarithm of a positive, normal number.
pub(super) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    // Eleven bits of exponent, biased by 1023.
    let mut exponent = (bits >> 52) as i32 - 1023;
    let mut m = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000);
    if m > std::f64::consts::SQRT_2 {
        (m, exponent) = (m / 2.0, exponent + 1);
    }
    // ln m = 2 artanh z, with |z| < 0.1716: after twelve terms the error is below 1e-19.
    let z = (m - 1.0) / (m + 1.0);
    let series = (0..12).rev().fold(0.0, |sum, k| sum * z * z + 1.0 / f64::from(2 * k + 1));
    2.0 * z * series + f64::from(exponent) * std::f64::consts::LN_2
}
